//! core
mod codec;
mod commit;
mod cookie;
mod error;
mod exchange;
mod key;
mod lifetimes;
mod limits;
mod random;
mod record;
mod session;
mod sessions;
mod store;
mod time;
mod token;
mod values;
mod wire;

pub use codec::Codec;
pub use cookie::{Cookie, SameSite};
pub use error::{BuildError, Error, Unreadable};
pub use exchange::{Exchange, HeaderEdit};
pub use key::{Key, ValueKey};
pub use lifetimes::Lifetimes;
pub use limits::Limits;
pub use record::{Header, InvalidText, Label, Principal, Record};
pub use session::{Outcome, Saved, Session, TransactError, UpdateResult};
pub use sessions::{Sessions, SessionsBuilder, Snapshot};
pub use store::{
    AnyStore, Capabilities, Created, Cursor, Deleted, Page, Replaced, Store, StoreError,
    StoreErrorKind, Touched,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use token::{Handle, InvalidHandle};
pub use values::Values;
