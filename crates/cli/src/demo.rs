//! The demo: a page and an API over one session.

mod page;
