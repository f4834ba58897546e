//! The first record of a session: created or nothing, under a handle that was never used.

use std::sync::Arc;

use super::{Failure, Terms};
use crate::csrf::Seed;
use crate::error::Error;
use crate::events::EventKind;
use crate::record::Header;
use crate::record::commits::Commits;
use crate::record::envelope::{Control, Stored};
use crate::record::secrets::Secrets;
use crate::sessions::Manager;
use crate::store::{Created, Store as _};
use crate::token::{Handle, Token};
use crate::values::Values;

/// The most fresh handles after the first one: enough to meet the one of three servers that is up, and few enough for who
/// waits while each of them keeps silent.
const MORE_HANDLES: u32 = 7;

impl Manager {
    /// Makes the first record of a session. `fill` makes its contents, anew for each handle that is tried, and says whether
    /// they are worth a record; otherwise the answer is `None`.
    pub(crate) async fn create(
        &self,
        mut fill: impl FnMut(&mut Stored, Terms) -> Result<bool, Failure>,
    ) -> Result<Option<(Token, Arc<Stored>)>, Failure> {
        let more_handles = self.limits.retries.min(MORE_HANDLES);
        let (mut tries, mut resends, mut lost) = (0, 0, Vec::new());
        loop {
            let token = self.generator.token()?;
            let mut stored = self.fresh(&token);
            if !fill(&mut stored, self.terms())? {
                return Ok(None);
            }
            stored.control.secrets = Secrets::one(token.hash(), stored.header.created_at);
            let record = self.put_together(token.handle, &stored)?;
            match self
                .store
                .create(token.handle, &record, self.clock.now())
                .await
            {
                Ok(Created::Created) => {
                    self.tell(EventKind::Created, token.handle);
                    self.remove_lost(&lost).await;
                    return Ok(Some((token, Arc::new(stored))));
                }
                Ok(Created::Exists) if tries < more_handles => tries += 1,
                Ok(Created::Exists) => return Err(Error::NoFreeHandle { tries: tries + 1 }.into()),
                // The next handle may belong to a server that answers.
                Err(error)
                    if error.is_of_one_server()
                        && !error.may_have_applied()
                        && tries < more_handles =>
                {
                    tries += 1;
                }
                // Should it be there after all, nobody will ever know its secret.
                Err(error) if error.may_have_applied() && resends < self.limits.resends => {
                    lost.push(token.handle);
                    self.pause(resends).await;
                    resends += 1;
                }
                Err(error) => return Err(Error::store("create")(error).into()),
            }
        }
    }

    /// Removes records that may have been made without an answer, for who lists the sessions of a user would see them. One
    /// that can't be removed, or arrives later, ends as any session does that is not used. A store that fails again keeps the
    /// request waiting no longer.
    async fn remove_lost(&self, handles: &[Handle]) {
        for handle in handles {
            if self.store.delete(*handle, self.clock.now()).await.is_err() {
                break;
            }
        }
    }

    /// A record of version 1 for `token`, without values.
    fn fresh(&self, token: &Token) -> Stored {
        let now = self.clock.now();
        Stored {
            header: Header {
                version: 1,
                created_at: now,
                idle_deadline: now.after(self.lifetimes.idle),
                absolute_deadline: now.after(self.lifetimes.absolute),
                principal: None,
                label: None,
            },
            control: Control {
                sign_in: 0,
                csrf: Seed::of(&token.hash()),
                stamp: None,
                since: now,
                lifetimes: None,
                secrets: Secrets::one(token.hash(), now),
                commits: Commits::default(),
            },
            values: Values::empty(self.rules()),
        }
    }
}
