//! What every store behind a network keeps up while the network misbehaves; and that stores which are broken on purpose
//! are noticed.

mod backend;
mod limits;
mod reads;
mod recovery;
mod replies;
mod runtimes;
mod trials;
mod trouble;
mod writer;
mod wrong;

/// Makes a test of each function on each store. A function is told the store, and returns what went wrong. With `long`,
/// those of Postgres only run when asked for: connections that break again and again are what it has most work with, for
/// its sign-in is made to be costly.
#[macro_export]
macro_rules! on_every_store {
    ($($promise:ident),* $(; $long:ident)?) => {
        $crate::on_every_store!(@ redis Redis [] [$($promise)*]);
        $crate::on_every_store!(@ memcached Memcached [] [$($promise)*]);
        $crate::on_every_store!(@ mariadb Mariadb [] [$($promise)*]);
        $crate::on_every_store!(@ postgres Postgres [$($long)?] [$($promise)*]);
    };
    (@ $module:ident $backend:ident $long:tt [$($promise:ident)*]) => {
        mod $module {
            $($crate::on_every_store!(@ $promise $backend $long);)*
        }
    };
    (@ $promise:ident $backend:ident []) => {
        #[test]
        fn $promise() {
            if let Err(fault) = super::$promise($crate::backend::Backend::$backend) {
                panic!("{fault}");
            }
        }
    };
    (@ $promise:ident $backend:ident [long]) => {
        #[test]
        #[ignore = "long"]
        fn $promise() {
            if let Err(fault) = super::$promise($crate::backend::Backend::$backend) {
                panic!("{fault}");
            }
        }
    };
}
