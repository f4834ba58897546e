//! Where a scan goes on: a shard and a place in it, in five bytes.

use fasthttpsession_core::{Cursor, StoreError, StoreErrorKind};

use crate::slab::Id;

/// The next place that a scan looks at.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    pub(crate) shard: u8,
    pub(crate) id: Id,
}

impl Position {
    pub(crate) const START: Self = Self {
        shard: 0,
        id: Id::FIRST,
    };

    /// Where `cursor` says; the start without one.
    pub(crate) fn decode(cursor: Option<&Cursor>) -> Result<Self, StoreError> {
        let Some(Cursor(bytes)) = cursor else {
            return Ok(Self::START);
        };
        let position = match bytes[..] {
            [shard, a, b, c, d] => {
                Id::from_number(u32::from_be_bytes([a, b, c, d])).map(|id| Self { shard, id })
            }
            _ => None,
        };
        position.ok_or_else(foreign)
    }

    pub(crate) fn encode(self) -> Cursor {
        let [a, b, c, d] = self.id.number().to_be_bytes();
        Cursor(vec![self.shard, a, b, c, d].into())
    }

    /// The first place of the next shard; `None` after the last.
    pub(crate) fn next_shard(self) -> Option<Self> {
        Some(Self {
            shard: self.shard.checked_add(1)?,
            id: Id::FIRST,
        })
    }
}

fn foreign() -> StoreError {
    let message = "scanning the memory store: the cursor was not made by this store";
    StoreError::new(StoreErrorKind::Internal, message).not_applied()
}
