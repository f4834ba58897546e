//! The suite on each of the stores, a module for each.

use fasthttpsession_conformance::http_tests;
use fasthttpsession_test_stores::each;

use crate::Axum;

mod memory {
    use super::*;
    http_tests!(Axum, each::memory());
}

mod sqlite {
    use super::*;
    http_tests!(Axum, each::sqlite().await);
}

mod file {
    use super::*;
    http_tests!(Axum, each::file().await);
}

mod postgres {
    use super::*;
    http_tests!(Axum, each::postgres().await);
}

mod mariadb {
    use super::*;
    http_tests!(Axum, each::mariadb().await);
}

mod redis {
    use super::*;
    http_tests!(Axum, each::redis().await);
}

mod memcached {
    use super::*;
    http_tests!(Axum, each::memcached().await);
}

mod three_memcached {
    use super::*;
    http_tests!(Axum, each::three_memcached().await);
}
