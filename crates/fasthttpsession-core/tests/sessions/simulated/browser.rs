//! A browser, and what the handlers of its requests do.

use std::cell::RefCell;

use fasthttpsession_core::{Error, Exchange, Handle, HeaderEdit, Outcome, Session, TransactError};

use super::cut::cut;
use super::ledger::{SUM, write_key};
use super::{Simulation, note};
use crate::support::{Client, Response};

const COUPON: &str = "coupon";

pub(crate) struct Browser {
    principal: String,
    habits: Habits,
    client: RefCell<Client>,
    /// The session that its cookie opens for certain.
    expects: RefCell<Option<Handle>>,
    coupons: RefCell<u32>,
}

/// What a browser's requests do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habits {
    /// Several at once, that read and write: whatever happens, it is never signed out.
    Steady,
    /// One after the other, that also sign in and out and rotate.
    Careful,
    /// Several at once that do.
    Restless,
}

/// One request, and what it wrote that is not committed.
#[allow(clippy::struct_excessive_bools, reason = "they vary independently")]
struct Handling<'a> {
    name: &'a str,
    simulation: &'a Simulation,
    browser: &'a Browser,
    session: Session,
    pending: Vec<(u32, Option<Handle>)>,
    /// Sessions that it signed out of.
    left: Vec<Handle>,
    /// Whether it wanted another secret for its session, and whether it is not known if the session got it.
    replaces_secret: bool,
    secret_in_doubt: bool,
    /// Whether it was told that the session got it, so that the response is to bring it.
    owes_secret: bool,
    /// Whether nothing else could have happened to the session.
    is_sure: bool,
}

impl Browser {
    pub(crate) async fn new(simulation: &Simulation, number: usize) -> Self {
        let habits = [Habits::Steady, Habits::Careful, Habits::Restless][number];
        let principal = format!("user{number}");
        let mut client = Client::signed_in(simulation.process(), &principal).await;
        client
            .visit(simulation.process(), |s| s.set(COUPON, &1))
            .await;
        Self {
            principal,
            habits,
            expects: RefCell::new((habits != Habits::Restless).then(|| client.handle())),
            client: RefCell::new(client),
            coupons: RefCell::default(),
        }
    }

    pub(crate) fn tabs(&self) -> usize {
        match self.habits {
            Habits::Steady => 5,
            Habits::Careful => 1,
            Habits::Restless => 3,
        }
    }

    /// A request and its response, unless the connection breaks.
    pub(crate) async fn request(&self, simulation: &Simulation) {
        simulation.pass_time().await;
        let began = simulation.world.now().as_millis();
        simulation.under_way.borrow_mut().push(began);
        let number = simulation.number();
        let name = format!("{}, request {number}", self.principal);
        let patience = simulation.patience(12);
        note(format!("{name} begins at {began}"));
        let whole = cut(patience, self.handle(simulation, &name)).await;
        if whole.is_none() {
            note(format!("{name} is given up"));
        }
        let mut under_way = simulation.under_way.borrow_mut();
        let at = under_way.iter().position(|other| *other == began);
        under_way.swap_remove(at.unwrap());
    }

    async fn handle(&self, simulation: &Simulation, name: &str) {
        note(format!("{name} brings {:?}", self.client.borrow().token()));
        let exchange = self.client.borrow().begin(simulation.process());
        let (expects, before) = (*self.expects.borrow(), simulation.ledger.borrow().now());
        simulation.pass_time().await;
        let session = match exchange.session().await {
            Ok(session) => session,
            Err(Error::Store { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        note(format!(
            "{name} opens {:?} at {}",
            session.handle(),
            simulation.world.now().as_millis()
        ));
        if let Some(handle) = expects {
            assert_eq!(
                session.handle(),
                Some(handle),
                "{} is signed out",
                self.principal
            );
        }
        simulation.ledger.borrow().check(&session, before);
        let mut handling = Handling {
            name,
            simulation,
            browser: self,
            session,
            pending: Vec::new(),
            left: Vec::new(),
            replaces_secret: false,
            secret_in_doubt: false,
            owes_secret: false,
            is_sure: expects.is_some(),
        };
        let steps = simulation.random.borrow_mut().u8(0..5);
        for _ in 0..steps {
            handling.step().await;
            simulation.pass_time().await;
        }
        let edits = handling.end(&exchange).await;
        if let Some(edits) = edits {
            let response = Response(edits);
            handling.check_age(&response).await;
            simulation.pass_time().await;
            if !simulation.chance(8) {
                handling.deliver(&response);
            }
        }
    }

    pub(crate) async fn check_at_the_end(&self, simulation: &Simulation) {
        let client = self.client.borrow().clone();
        let session = simulation.look(&client).await;
        if let Some(handle) = *self.expects.borrow() {
            assert_eq!(
                session.handle(),
                Some(handle),
                "{} is signed out",
                self.principal
            );
        }
        assert!(*self.coupons.borrow() <= 1, "a coupon was taken twice");
    }
}

impl Handling<'_> {
    async fn step(&mut self) {
        let choice = self.simulation.random.borrow_mut().u8(0..10);
        self.note(&format!("does {choice}"));
        match choice {
            0..=3 => self.write(),
            4 => self.save().await,
            5 => self.transact().await,
            6 => self.take_coupon().await,
            _ if self.browser.habits == Habits::Steady => self.write(),
            7 => self.log_in(),
            8 => self.rotate(),
            _ => self.log_out(),
        }
    }

    fn note(&self, what: &str) {
        note(format!("{} {what}", self.name));
    }

    fn write(&mut self) {
        let write = self.simulation.number();
        self.session.set(write_key(write), &1).unwrap();
        self.session.update(SUM, |sum: &mut u64| *sum += 1).unwrap();
        self.pending.push((write, self.session.handle()));
    }

    async fn save(&mut self) {
        let patience = self.simulation.patience(4);
        match cut(patience, self.session.save()).await {
            Some(Ok(outcome)) => self.saved(outcome),
            Some(Err(error)) => self.failed(&error),
            None => self.in_doubt(),
        }
    }

    async fn transact(&mut self) {
        let write = self.simulation.number();
        let (aborts, patience) = (self.simulation.chance(4), self.simulation.patience(6));
        let transact = self.session.transact(|values| {
            values.set(write_key(write), &1)?;
            let sum: u64 = values.get(SUM)?.unwrap_or_default();
            values.set(SUM, &(sum + 1))?;
            if aborts { Err(Error::Ended) } else { Ok(()) }
        });
        let handle = self.session.handle();
        match cut(patience, transact).await {
            Some(Ok(())) => {
                self.pending.push((write, handle));
                self.saved(Outcome::Committed);
            }
            Some(Err(TransactError::Aborted(_))) => {
                if let Some(handle) = handle {
                    self.simulation.ledger.borrow_mut().refuse(handle, write);
                }
            }
            Some(Err(TransactError::Session(error))) => {
                self.pending.push((write, handle));
                self.failed(&error);
            }
            None => self.in_doubt(),
        }
    }

    async fn take_coupon(&mut self) {
        let transact = self.session.transact(|values| values.take::<u32>(COUPON));
        match cut(self.simulation.patience(6), transact).await {
            Some(Ok(coupon)) => {
                *self.browser.coupons.borrow_mut() += u32::from(coupon.is_some());
                // Without a coupon and a log there was nothing to commit.
                self.saved(Outcome::Committed);
            }
            Some(Err(TransactError::Aborted(error))) => panic!("{error}"),
            Some(Err(TransactError::Session(error))) => self.failed(&error),
            None => self.in_doubt(),
        }
    }

    fn log_in(&mut self) {
        self.disturb();
        self.replaces_secret = true;
        self.session.login(&self.browser.principal).unwrap();
    }

    fn rotate(&mut self) {
        *self.browser.expects.borrow_mut() = None;
        // A visitor has none.
        self.replaces_secret |= self.session.handle().is_some();
        self.session.rotate().unwrap();
    }

    fn log_out(&mut self) {
        self.disturb();
        (self.is_sure, self.replaces_secret, self.owes_secret) = (false, false, false);
        if let Some(handle) = self.session.handle() {
            self.simulation.ledger.borrow_mut().book(handle).may_end = true;
            self.left.push(handle);
        }
        self.session.logout().unwrap();
        self.refuse_pending();
    }

    /// From now on others may be passed over.
    fn disturb(&self) {
        *self.browser.expects.borrow_mut() = None;
        if let Some(handle) = self.session.handle() {
            self.simulation.ledger.borrow_mut().book(handle).disturbed = true;
        }
    }

    /// The response: what it says about cookies, if there is any.
    async fn end(&mut self, exchange: &Exchange) -> Option<Vec<HeaderEdit>> {
        if self.simulation.chance(10) {
            self.refuse_pending();
            return Some(exchange.abandon());
        }
        match exchange.finish().await {
            Ok(edits) => {
                self.finished();
                Some(edits)
            }
            Err(error) => {
                self.failed(&error);
                Some(exchange.abandon())
            }
        }
    }

    /// A persistent cookie lasts no longer than its session.
    async fn check_age(&self, response: &Response) {
        let (Some(age), Some(handle)) = (response.max_age(), self.session.handle()) else {
            return;
        };
        let now = self.simulation.world.now();
        if let Some(record) = self.simulation.world.store.record(handle, now).await {
            let left = record.header.idle_deadline.since(now);
            assert!(
                age <= left.as_secs(),
                "a cookie lasts for {age} s, and its session for {left:?}"
            );
        }
    }

    /// The browser takes the response in.
    fn deliver(&self, response: &Response) {
        self.note(&format!("is answered: {:?}", response.cookie()));
        assert!(
            response.token().is_some() || !self.owes_secret,
            "the browser does not get the secret that was committed"
        );
        let had = self.browser.client.borrow().token();
        self.browser.client.borrow_mut().receive(response);
        let (Some(token), Some(handle)) = (response.token(), self.session.handle()) else {
            return;
        };
        if had.as_ref() == Some(&token) {
            // It was dated anew, which tells nothing else.
            return;
        }
        let mut ledger = self.simulation.ledger.borrow_mut();
        let book = ledger.book(handle);
        if self.browser.habits == Habits::Careful && !self.secret_in_doubt {
            if self.replaces_secret {
                book.dead_tokens.append(&mut book.tokens);
            }
            book.tokens.push(token);
            // A logout that is in doubt may come yet.
            *self.browser.expects.borrow_mut() = (!book.may_end).then_some(handle);
        }
    }

    /// What `save` says.
    fn saved(&mut self, outcome: Outcome) {
        self.note(&format!("is told {outcome:?}"));
        let now = self.session.handle();
        let mut ledger = self.simulation.ledger.borrow_mut();
        for handle in self.left.drain(..) {
            ledger.end(handle);
        }
        match outcome {
            Outcome::Committed | Outcome::Overtaken => {
                let is_overtaken = outcome == Outcome::Overtaken;
                assert!(!(is_overtaken && self.is_sure), "nobody was first");
                self.owes_secret |= self.is_sure && self.replaces_secret && !self.secret_in_doubt;
                for (write, handle) in self.pending.drain(..) {
                    // A sign-in that came too late made a new session, without what was written before.
                    if let Some(now) = now.filter(|now| handle.is_none_or(|then| then == *now)) {
                        ledger.acknowledge(now, write);
                    }
                }
            }
            Outcome::Unchanged => assert!(self.pending.is_empty(), "writes, and nothing to write"),
            _ => {
                for (write, handle) in self.pending.drain(..) {
                    let handle = handle.expect("only a session that was there can be lost");
                    assert!(ledger.book(handle).disturbed, "a session was lost");
                    ledger.refuse(handle, write);
                }
            }
        }
    }

    /// What a response without an error says: of the writes only if nobody has signed in or out.
    fn finished(&mut self) {
        self.note("ends well");
        let now = self.session.handle();
        let mut ledger = self.simulation.ledger.borrow_mut();
        for handle in self.left.drain(..) {
            ledger.end(handle);
        }
        for (write, handle) in self.pending.drain(..) {
            let handle = handle.or(now).expect("what was written is somewhere");
            if !ledger.book(handle).disturbed {
                ledger.acknowledge(handle, write);
            }
        }
    }

    fn failed(&mut self, error: &Error) {
        self.note(&format!("fails: {error}"));
        match error {
            Error::Store { source, .. } if !source.may_have_applied() => self.refused(),
            Error::Contention { .. } => self.refused(),
            Error::Store { .. } | Error::OutcomeUnknown { .. } | Error::Ended => self.in_doubt(),
            error => panic!("{error}"),
        }
        self.left.clear();
    }

    fn refused(&mut self) {
        self.refuse_pending();
        // What was committed before is still owed.
        self.replaces_secret = self.owes_secret;
    }

    fn in_doubt(&mut self) {
        self.secret_in_doubt |= self.replaces_secret;
        self.pending.clear();
        self.left.clear();
    }

    fn refuse_pending(&mut self) {
        let mut ledger = self.simulation.ledger.borrow_mut();
        for (write, handle) in self.pending.drain(..) {
            if let Some(handle) = handle {
                ledger.refuse(handle, write);
            }
        }
    }
}
