//! `writer <store url>`: does what the order on its standard input says, until that ends.

use std::io::BufRead;

use fasthttpsession::connect;
use fasthttpsession_crash::{Order, write};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: writer <store url>")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    write(connect(&url).await?, order).await;
    Ok(())
}
