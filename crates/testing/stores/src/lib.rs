//! Stores for tests of what stands above them: [an empty one of each kind](each), and [one that breaks](Fragile).

pub mod each;
mod fragile;

pub use fragile::Fragile;
