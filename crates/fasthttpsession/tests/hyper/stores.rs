//! The suite on a store in memory, one in a file and one on a server, a module for each.

use fasthttpsession_conformance::http_tests;
use fasthttpsession_test_stores::each;

use crate::Plain;

mod memory {
    use super::*;
    http_tests!(Plain, each::memory());
}

mod sqlite {
    use super::*;
    http_tests!(Plain, each::sqlite().await);
}

mod redis {
    use super::*;
    http_tests!(Plain, each::redis().await);
}
