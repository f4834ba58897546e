//! Which secrets open a record: one that is current, those offered to replace it, and those that run out.
//!
//! `rotate` leaves exactly one. Renewal goes in two steps, so that neither a lost response nor parallel requests sign
//! anyone out: a new secret is *offered* beside the current one; once the client presents it, it becomes the current one
//! and the former runs out after a grace. An offer that was not presented is repeated, and the last two are good.

use std::time::Duration;

use crate::sessions::Renewal;
use crate::time::Timestamp;
use crate::token::SecretHash;
use crate::wire::{self, Reader};

/// The secrets of one record.
#[derive(Clone)]
pub(crate) struct Secrets {
    current: SecretHash,
    /// When the current one became so.
    since: Timestamp,
    /// Offered and not yet presented, with the time of the offer; the newest last.
    offers: Vec<(SecretHash, Timestamp)>,
    /// Replaced, with the time until which they still open the record; the newest last.
    retiring: Vec<(SecretHash, Timestamp)>,
}

/// As what a secret opens a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenedBy {
    Current,
    Offer,
    Retiring,
}

impl Secrets {
    /// How many offers are good at once, and how many replaced secrets.
    const KEPT: usize = 2;

    pub(crate) fn one(current: SecretHash, now: Timestamp) -> Self {
        Self {
            current,
            since: now,
            offers: Vec::new(),
            retiring: Vec::new(),
        }
    }

    /// As what `hash` opens the record; `None` if it does not. Takes the same time whichever secret it is.
    pub(crate) fn opened_by(&self, hash: &SecretHash, now: Timestamp) -> Option<OpenedBy> {
        let current = self.current.matches(hash);
        let mut offered = subtle::Choice::from(0);
        for (offer, _) in &self.offers {
            offered |= offer.matches(hash);
        }
        let mut retiring = subtle::Choice::from(0);
        for (old, until) in &self.retiring {
            retiring |= old.matches(hash) & subtle::Choice::from(u8::from(now < *until));
        }
        match (
            bool::from(current),
            bool::from(offered),
            bool::from(retiring),
        ) {
            (true, ..) => Some(OpenedBy::Current),
            (_, true, _) => Some(OpenedBy::Offer),
            (_, _, true) => Some(OpenedBy::Retiring),
            _ => None,
        }
    }

    /// Whether a request that presented the current secret should offer a new one: the current one is older than
    /// the period, or a renewal was begun, be it that renewals are off by now; and the last offer, if any, was not taken up
    /// within the grace.
    pub(crate) fn wants_offer(&self, now: Timestamp, Renewal { every, grace }: Renewal) -> bool {
        let is_old = every.is_some_and(|every| now.since(self.since) >= every);
        let last = self.offers.last();
        (is_old || self.are_renewed())
            && last.is_none_or(|(_, offered_at)| now.since(*offered_at) >= grace)
    }

    /// Whether the first offer has become due, but no longer than `span` ago.
    pub(crate) fn have_just_aged(
        &self,
        now: Timestamp,
        every: Option<Duration>,
        span: Duration,
    ) -> bool {
        every.is_some_and(|every| {
            let age = now.since(self.since);
            age >= every && age.saturating_sub(every) < span && !self.are_renewed()
        })
    }

    /// Whether `hash` was on offer beside the current one, so that the two change places when it is presented.
    pub(crate) fn are_beside(&self, hash: &SecretHash) -> bool {
        let mut beside = self.offers.iter().filter(|(_, at)| *at <= self.since);
        beside.any(|(offer, _)| offer.matches(hash).into())
    }

    /// Whether a secret is on offer that came after the current one.
    pub(crate) fn are_renewed(&self) -> bool {
        self.offers.iter().any(|(_, at)| *at > self.since)
    }

    /// Whether `hash` is the current secret or on offer, and so may be sent to the client.
    pub(crate) fn holds(&self, hash: &SecretHash) -> bool {
        matches!(
            self.opened_by(hash, Timestamp::from_millis(0)),
            Some(OpenedBy::Current | OpenedBy::Offer)
        )
    }

    /// Whether `hash` may be sent to the client once more: not while another is on offer to replace it, which may be
    /// presented before that response arrives.
    pub(crate) fn may_resend(&self, hash: &SecretHash) -> bool {
        self.holds(hash) && !self.are_renewed()
    }

    pub(crate) fn rotate(&mut self, to: SecretHash, now: Timestamp) {
        *self = Self::one(to, now);
    }

    /// Does nothing if a parallel request was first: with more than two offers at once, one that the browser keeps could
    /// be dead already.
    pub(crate) fn offer(&mut self, hash: SecretHash, now: Timestamp, renewal: Renewal) {
        if self.wants_offer(now, renewal) {
            push_bounded(&mut self.offers, (hash, now));
        }
    }

    /// Makes the offered `hash` the current secret; the one that it replaces runs out. Does nothing if `hash` is not on
    /// offer.
    ///
    /// If the current one was on offer beside `hash`, they change places and both stay good: responses may have crossed,
    /// so the browser may keep either.
    pub(crate) fn promote(&mut self, hash: &SecretHash, now: Timestamp, grace: Duration) {
        let Some(at) = self
            .offers
            .iter()
            .position(|(offer, _)| offer.matches(hash).into())
        else {
            return;
        };
        // A clock that lags must not make the current one older than what was offered before it.
        let offered = self.offers.iter().map(|(_, at)| *at);
        let now = offered.fold(now, Timestamp::max);
        let replaced = std::mem::replace(&mut self.current, self.offers[at].0);
        if self.offers[at].1 <= self.since {
            self.offers[at].0 = replaced;
            return;
        }
        self.offers.remove(at);
        self.retire(replaced, now, grace);
        self.since = now;
    }

    /// Lets `replaced`, and what was on offer beside it, run out.
    fn retire(&mut self, replaced: SecretHash, now: Timestamp, grace: Duration) {
        let (beside, offers): (Vec<_>, Vec<_>) = std::mem::take(&mut self.offers)
            .into_iter()
            .partition(|(_, offered_at)| *offered_at <= self.since);
        self.offers = offers;
        self.retiring.retain(|(_, until)| now < *until);
        for (old, _) in beside.into_iter().chain([(replaced, now)]) {
            push_bounded(&mut self.retiring, (old, now.after(grace)));
        }
    }

    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        write_hash(out, &self.current, self.since);
        for list in [&self.offers, &self.retiring] {
            out.push(wire::short_len(list.len()));
            for (hash, at) in list {
                write_hash(out, hash, *at);
            }
        }
    }

    pub(crate) fn read_from(reader: &mut Reader<'_>) -> Option<Self> {
        let (current, since) = read_hash(reader)?;
        Some(Self {
            current,
            since,
            offers: read_list(reader)?,
            retiring: read_list(reader)?,
        })
    }

    /// How many bytes [`write_to`](Self::write_to) writes.
    pub(crate) fn encoded_len(&self) -> usize {
        (SecretHash::BYTES + 8) * (1 + self.offers.len() + self.retiring.len()) + 2
    }
}

fn push_bounded<T>(list: &mut Vec<T>, item: T) {
    if list.len() == Secrets::KEPT {
        list.remove(0);
    }
    list.push(item);
}

fn write_hash(out: &mut Vec<u8>, hash: &SecretHash, at: Timestamp) {
    out.extend_from_slice(hash.as_bytes());
    out.extend_from_slice(&at.as_millis().to_le_bytes());
}

fn read_hash(reader: &mut Reader<'_>) -> Option<(SecretHash, Timestamp)> {
    let hash = SecretHash::from_bytes(reader.array()?);
    Some((hash, Timestamp::from_millis(reader.fixed()?)))
}

fn read_list(reader: &mut Reader<'_>) -> Option<Vec<(SecretHash, Timestamp)>> {
    let len = usize::from(reader.byte()?);
    if len > Secrets::KEPT {
        return None;
    }
    (0..len).map(|_| read_hash(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENEWAL: Renewal = Renewal {
        every: Some(Duration::from_millis(100)),
        grace: Duration::from_millis(30),
    };

    fn hash(number: u8) -> SecretHash {
        SecretHash::from_bytes([number; SecretHash::BYTES])
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Secret 1, with 2 and 3 on offer since 100 and 130.
    fn offered() -> Secrets {
        let mut secrets = Secrets::one(hash(1), at(0));
        secrets.offer(hash(2), at(100), RENEWAL);
        secrets.offer(hash(3), at(130), RENEWAL);
        secrets
    }

    fn opening(secrets: &Secrets, now: u64) -> Vec<(u8, OpenedBy)> {
        let opened = |number| Some((number, secrets.opened_by(&hash(number), at(now))?));
        (0..10).filter_map(opened).collect()
    }

    #[test]
    fn what_is_offered_twice_within_the_grace_is_offered_once() {
        let mut secrets = offered();
        secrets.offer(hash(4), at(159), RENEWAL);
        let open = [
            (1, OpenedBy::Current),
            (2, OpenedBy::Offer),
            (3, OpenedBy::Offer),
        ];
        assert_eq!(opening(&secrets, 159), open);
    }

    #[test]
    fn the_replaced_secret_runs_out_and_the_other_offer_does_not() {
        for (presented, other) in [(2, 3), (3, 2)] {
            let mut secrets = offered();
            secrets.promote(&hash(presented), at(140), RENEWAL.grace);
            let mut open = vec![(presented, OpenedBy::Current), (other, OpenedBy::Offer)];
            open.sort_by_key(|(number, _)| *number);
            assert_eq!(opening(&secrets, 170), open);
            open.insert(0, (1, OpenedBy::Retiring));
            assert_eq!(opening(&secrets, 169), open);
        }
    }

    #[test]
    fn of_two_offers_that_are_presented_by_turns_none_runs_out() {
        let mut secrets = offered();
        // Also if the first to be presented came to a process whose clock lags.
        for (presented, now) in [(3, 90), (2, 140), (3, 95), (3, 140), (2, 140), (2, 140)] {
            secrets.promote(&hash(presented), at(now), RENEWAL.grace);
            let opened = secrets.opened_by(&hash(presented), at(1_000));
            assert_eq!(opened, Some(OpenedBy::Current));
        }
        let open = [(2, OpenedBy::Current), (3, OpenedBy::Offer)];
        assert_eq!(opening(&secrets, 1_000), open);
        // With the next one that is taken up, both run out.
        secrets.offer(hash(4), at(240), RENEWAL);
        secrets.promote(&hash(4), at(250), RENEWAL.grace);
        assert_eq!(opening(&secrets, 279).len(), 3);
        assert_eq!(opening(&secrets, 280), [(4, OpenedBy::Current)]);
    }

    #[test]
    fn a_rotation_leaves_one() {
        let mut secrets = offered();
        secrets.promote(&hash(2), at(140), RENEWAL.grace);
        secrets.rotate(hash(5), at(141));
        assert_eq!(opening(&secrets, 141), [(5, OpenedBy::Current)]);
    }

    #[test]
    fn secrets_come_back_and_what_ends_early_is_malformed() {
        let mut secrets = offered();
        secrets.promote(&hash(2), at(140), RENEWAL.grace);
        let mut bytes = Vec::new();
        secrets.write_to(&mut bytes);
        assert_eq!(bytes.len(), secrets.encoded_len());
        let read = Secrets::read_from(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(opening(&read, 150), opening(&secrets, 150));
        for len in 0..bytes.len() {
            assert!(Secrets::read_from(&mut Reader::new(&bytes[..len])).is_none());
        }
    }
}
