//! What every store behind a network keeps up while the network misbehaves; and that stores which are broken on purpose
//! are noticed.

mod backend;
mod deletes;
mod limits;
mod reads;
mod recovery;
mod replies;
mod round_trips;
mod runtimes;
mod trials;
mod trouble;
mod writer;
mod wrong;

/// Makes a test of each function on each store. A function is told the store, and returns what went wrong.
#[macro_export]
macro_rules! on_every_store {
    ($($promise:ident),*) => {
        $crate::on_every_store!(@ redis Redis [$($promise)*]);
        $crate::on_every_store!(@ memcached Memcached [$($promise)*]);
        $crate::on_every_store!(@ mariadb Mariadb [$($promise)*]);
        $crate::on_every_store!(@ postgres Postgres [$($promise)*]);
    };
    (@ $module:ident $backend:ident [$($promise:ident)*]) => {
        mod $module {
            $(
                #[test]
                fn $promise() {
                    if let Err(fault) = super::$promise($crate::backend::Backend::$backend) {
                        panic!("{fault}");
                    }
                }
            )*
        }
    };
}
