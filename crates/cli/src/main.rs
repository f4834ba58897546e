//! The `fasthttpsession` command.

mod demo;

fn main() {}
