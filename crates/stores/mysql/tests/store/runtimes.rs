//! Programs with several runtimes, such as servers that have one for each worker.

use fasthttpsession_conformance::store::runtimes::used_in_several_runtimes;

use crate::support::{NOW, Place, within};

#[tokio::test]
async fn all_runtimes_together_make_no_more_connections_than_are_set() {
    let place = Place::new();
    let store = place.config().max_connections(3).open().await;
    let store = store.expect("the store opens");
    // One that was just closed may be listed for a moment.
    let all_but_three_closed = async || {
        while place.connections().len() != 3 {
            tokio::task::yield_now().await;
        }
    };
    let used = used_in_several_runtimes(&store, 6, NOW, all_but_three_closed);
    within(used).await.expect("answers");
}
