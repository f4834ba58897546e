//! Sessions in the memory of this process: gone when it ends.

use std::error::Error;

use fasthttpsession::memory::MemoryStore;
use fasthttpsession_examples::serve;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(MemoryStore::new()).await
}
