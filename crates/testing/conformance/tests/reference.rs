//! The suite passes a correct store: what it fails elsewhere is not its own doing.

#[allow(dead_code)]
mod faulty;

fasthttpsession_conformance::store_tests!(async || faulty::subject(None));
