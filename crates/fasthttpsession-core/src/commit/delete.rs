//! The end of a session: its record is deleted, whatever its version.

use crate::error::Error;
use crate::events::EventKind;
use crate::sessions::Manager;
use crate::store::{Deleted, Store as _};
use crate::token::Handle;

impl Manager {
    /// Ends the session `handle`. `false` when there was none.
    pub(crate) async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let mut lost = 0;
        loop {
            match self.store.delete(handle, self.clock.now()).await {
                // Without the first answer, nobody knows whether the first or the second attempt found it.
                Ok(deleted) => {
                    let ended = deleted == Deleted::Deleted || lost > 0;
                    if ended {
                        self.tell(EventKind::Destroyed, handle);
                    }
                    return Ok(ended);
                }
                Err(error) if error.may_have_applied() && lost < self.limits.resends => {
                    lost += 1;
                    self.pause(lost).await;
                }
                Err(error) => {
                    let error = if lost > 0 {
                        error.maybe_applied()
                    } else {
                        error
                    };
                    return Err(Error::store("delete")(error));
                }
            }
        }
    }
}
