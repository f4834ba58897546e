//! core
pub mod record;
pub mod store;
pub mod time;
pub mod token;

pub use record::{Header, InvalidText, Label, Principal, Record};
pub use store::{
    Capabilities, Created, Cursor, Deleted, Page, Replaced, Store, StoreError, StoreErrorKind, Touched,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use token::{Handle, InvalidHandle};
