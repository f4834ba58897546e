//! A read is answered though its connection is cut while it waits: sessions ask again, over another.

use std::sync::Arc;

use fasthttpsession::{Handle, Sessions};
use fasthttpsession_faults::Fault;

use crate::backend::{Backend, open};
use crate::on_every_store;

on_every_store!(a_read_whose_connection_is_cut_is_answered);

fn a_read_whose_connection_is_cut_is_answered(backend: Backend) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let outcome = runtime.block_on(async {
        let site = backend.site().await?;
        let proxy = Arc::new(site.proxy());
        let sessions = Sessions::new(open(&proxy.url(site.url())).await?);
        let handle = made(&sessions).await.map_err(|error| error.to_string())?;
        proxy.answers(Fault::Hang);
        let asked = proxy.seen().requests.bytes;
        let reading = tokio::spawn({
            let sessions = sessions.clone();
            async move { sessions.read(handle).await }
        });
        proxy.until(|seen| seen.requests.bytes > asked).await;
        proxy.close();
        proxy.heal();
        match reading.await.map_err(|error| error.to_string())? {
            Ok(Some(found)) if found.values.get("n").ok() == Some(Some(7)) => Ok(()),
            other => Err(format!("the read was answered {other:?}")),
        }
    });
    runtime.shutdown_background();
    outcome
}

/// A session of one value.
pub(crate) async fn made(sessions: &Sessions) -> Result<Handle, fasthttpsession::Error> {
    let exchange = sessions.begin([("cookie", "")], None);
    let session = exchange.session().await?;
    session.set("n", &7)?;
    exchange.finish().await?;
    Ok(session.handle().expect("it was committed"))
}
