//! A server process as the benchmark starts it.

use std::io::{self, Read as _};

use axum::Router;
use tokio::net::TcpListener;

/// Serves `router` on a free port, which it prints, until the standard input is closed.
pub async fn serve(router: Router) -> io::Result<()> {
    end_with_parent();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?.port());
    axum::serve(listener, router).await
}

/// Tells the benchmark where it listens. From now on it counts what fails: the panics of peers need not be printed.
pub(crate) fn announce(port: u16) {
    std::panic::set_hook(Box::new(|_| {}));
    println!("{port}");
}

/// So that no server outlives a benchmark that was killed.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}
