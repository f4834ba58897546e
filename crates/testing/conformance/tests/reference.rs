//! The suite passes correct stores: what it fails elsewhere is not its own doing.

#[allow(dead_code)]
mod faulty;

fasthttpsession_conformance::store_tests!(async || faulty::subject(None, false));

mod with_a_clock_of_its_own {
    use super::faulty;

    fasthttpsession_conformance::store_tests!(async || faulty::subject(None, true));
}
