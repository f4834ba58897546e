//! A table on a server: connections, and the statements to send on them.

use std::collections::HashSet;

use fasthttpsession_core::{Handle, StoreError};
use tokio_postgres::types::ToSql;

use crate::connections::Connections;
use crate::groups::Waiting;
use crate::row::{self, Held, Key};
use crate::statements::{Statements, Writing};

/// What every operation needs.
pub(crate) struct Database {
    pub(crate) connections: Connections,
    pub(crate) statements: Statements,
}

impl Database {
    /// Writes so many sessions. Comes back with the handles of those that it wrote.
    pub(crate) async fn written(
        &self,
        statements: &Writing,
        sessions: usize,
        waiting: Waiting,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<HashSet<Handle>, StoreError> {
        let connections = &self.connections;
        let rows = match waiting {
            Waiting::Never => {
                let statement = statements.impatient.of_size(sessions);
                connections.rows(statement, parameters).await?
            }
            Waiting::Patiently => {
                let statement = &statements.patient;
                connections.rows_patiently(statement, parameters).await?
            }
        };
        rows.iter().map(row::handle).collect()
    }

    /// What the table holds under these handles, expired or not. A statement that did not write a row can't tell how
    /// the row is now, because it sees the table as it was when it began; so this asks anew.
    pub(crate) async fn held(
        &self,
        handles: impl Iterator<Item = Handle>,
    ) -> Result<Held, StoreError> {
        let keys: Vec<_> = handles.map(Key).collect();
        if keys.is_empty() {
            return Ok(Held::new());
        }
        let statement = self.statements.load.of_size(keys.len());
        row::held(&self.connections.rows(statement, &[&keys]).await?)
    }
}
