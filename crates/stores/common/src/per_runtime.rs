//! What every tokio runtime has of its own: connections above all, for a runtime drives those that were opened in it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use futures_channel::oneshot;
use tokio::runtime;

/// A `T` for each tokio runtime that asks for it: made when it first does, dropped when the runtime ends.
///
/// A call over a connection that another runtime drives goes to a thread of that one and back, and waits for it to wake,
/// twice. Servers that have a runtime for each thread, like those of actix-web, would make nearly all their calls so. And
/// who shares connections loses them with the runtime that opened them, in the middle of calls of others.
pub struct PerRuntime<T>(Arc<Inner<T>>);

struct Inner<T> {
    make: Box<dyn Fn() -> T + Send + Sync>,
    made: RwLock<HashMap<runtime::Id, Own<T>>>,
}

/// That of one runtime.
struct Own<T> {
    value: Arc<T>,
    /// Dropped, it ends the task that waits for the end of the runtime.
    _wanted: oneshot::Sender<()>,
}

/// What a task of a runtime holds, so that it is dropped when the runtime ends.
struct Forget<T> {
    id: runtime::Id,
    inner: Weak<Inner<T>>,
}

impl<T: Send + Sync + 'static> PerRuntime<T> {
    /// `make` is called in each runtime, once or, if several threads ask at once, a few times.
    pub fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            make: Box::new(make),
            made: RwLock::default(),
        }))
    }

    /// That of the runtime in which this is called.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn get(&self) -> Arc<T> {
        let runtime = runtime::Handle::current();
        let id = runtime.id();
        if let Some(own) = self.0.read().get(&id) {
            return Arc::clone(&own.value);
        }
        // Outside of the lock, for it may do anything.
        let value = Arc::new((self.0.make)());
        let mut made = self.0.write();
        if let Some(own) = made.get(&id) {
            return Arc::clone(&own.value);
        }
        let (wanted, dropped) = oneshot::channel::<()>();
        let own = Own {
            value: Arc::clone(&value),
            _wanted: wanted,
        };
        made.insert(id, own);
        drop(made);
        let forget = Forget {
            id,
            inner: Arc::downgrade(&self.0),
        };
        // After it was put there: a runtime that is ending drops the task at once.
        runtime.spawn(async move {
            let _forget = forget;
            let _ = dropped.await;
        });
        value
    }
}

impl<T> Inner<T> {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<runtime::Id, Own<T>>> {
        // Every change under this lock is one step.
        self.made.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<runtime::Id, Own<T>>> {
        self.made.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Forget<T> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.upgrade() {
            let own = inner.write().remove(&self.id);
            // Outside of the lock, for it may do anything.
            drop(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::{Builder, Runtime};
    use tokio::task::yield_now;

    use super::*;

    /// Numbers that are there until they are dropped.
    struct Numbered {
        number: usize,
        there: Arc<AtomicUsize>,
    }

    impl Drop for Numbered {
        fn drop(&mut self) {
            self.there.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The first that asks has 1, and so on. Beside it how many are there.
    fn numbers() -> (PerRuntime<Numbered>, Arc<AtomicUsize>) {
        let (made, there) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&there);
        let numbers = PerRuntime::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Numbered {
                number: made.fetch_add(1, Ordering::SeqCst) + 1,
                there: Arc::clone(&counted),
            }
        });
        (numbers, there)
    }

    fn runtime() -> Runtime {
        let runtime = Builder::new_current_thread().build();
        runtime.expect("a runtime starts")
    }

    #[test]
    fn each_runtime_has_its_own_as_long_as_it_is_there() {
        let (numbers, there) = numbers();
        let [first, second] = [runtime(), runtime()];
        assert_eq!(first.block_on(async { numbers.get().number }), 1);
        assert_eq!(second.block_on(async { numbers.get().number }), 2);
        assert_eq!(first.block_on(async { numbers.get().number }), 1);
        assert_eq!(there.load(Ordering::SeqCst), 2);
        drop(first);
        assert_eq!(there.load(Ordering::SeqCst), 1);
        assert_eq!(second.block_on(async { numbers.get().number }), 2);
        drop(second);
        assert_eq!(there.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_threads_of_a_runtime_share_one() {
        let (numbers, there) = numbers();
        let numbers = Arc::new(numbers);
        let tasks = (0..100).map(|_| {
            let numbers = Arc::clone(&numbers);
            tokio::spawn(async move { numbers.get() })
        });
        let mut got = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            got.push(task.await.expect("it does not panic"));
        }
        assert!(got.iter().all(|one| Arc::ptr_eq(one, &got[0])));
        assert_eq!(there.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nothing_outlives_it_in_a_runtime_that_goes_on() {
        let (numbers, there) = numbers();
        let tasks = || runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        numbers.get();
        assert_eq!(tasks(), before + 1);
        drop(numbers);
        assert_eq!(there.load(Ordering::SeqCst), 0);
        while tasks() > before {
            yield_now().await;
        }
    }

    /// Asks for one when it is dropped.
    struct Late(Arc<PerRuntime<Numbered>>);

    impl Drop for Late {
        fn drop(&mut self) {
            self.0.get();
        }
    }

    #[test]
    fn who_asks_while_the_runtime_ends_leaves_nothing() {
        let (numbers, there) = numbers();
        let late = Late(Arc::new(numbers));
        let numbers = Arc::clone(&late.0);
        let runtime = runtime();
        runtime.spawn(async move {
            let _late = late;
            std::future::pending::<()>().await;
        });
        runtime.block_on(yield_now());
        drop(runtime);
        assert_eq!(there.load(Ordering::SeqCst), 0);
        assert_eq!(numbers.0.read().len(), 0);
    }
}
