//! One connection at work: requests go out as they come, and replies are given to the callers in the same order.
//!
//! A caller who gave up, or whose time is over, keeps the place in the order, so that the reply is taken in and goes to
//! nobody. Each reply repeats the number of its request; one that does not ends the connection.

use std::collections::VecDeque;
use std::future::pending;
use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use crate::error::{Error, ErrorKind};
use crate::lane::{Caller, Lane, Share};
use crate::reply::{Garbage, Parser, Refusal, Reply};
use crate::request::{Answer, Expected};
use crate::stream::{Connected, Stream};

/// No more requests are written while this many bytes wait to be sent.
const UNSENT: usize = 256 * 1024;

/// A buffer that has grown larger than this is given back once it is empty.
const KEPT: usize = 256 * 1024;

/// The least room to receive into.
const ROOM: usize = 16 * 1024;

pub(crate) struct Pipe<'a> {
    lane: &'a Lane,
    reader: ReadHalf<Stream>,
    writer: WriteHalf<Stream>,
    traffic: Traffic,
}

/// Everything but the connection itself.
struct Traffic {
    /// The largest item that the server holds.
    item_bytes: usize,
    unsent: BytesMut,
    /// Whether something was written that TLS may hold back.
    unflushed: bool,
    received: BytesMut,
    parser: Parser,
    /// In the order in which they were sent.
    asked: VecDeque<Asked>,
    /// How many of the first in `asked` were told that their time is over.
    overdue: usize,
    last_opaque: u32,
    /// When something last came; at first, when the connection was made.
    alive: Instant,
    answered: bool,
}

/// A request that was sent, or is being sent.
struct Asked {
    expected: Expected,
    deadline: Instant,
    /// `None` once told.
    caller: Option<Caller>,
    /// Given back with the place in the order: a caller that was told is still owed a reply.
    _share: Share,
}

impl<'a> Pipe<'a> {
    pub(crate) fn new(connected: Connected, lane: &'a Lane) -> Self {
        let (reader, writer) = split(connected.stream);
        let value_bytes = lane.limits().value_bytes;
        Self {
            lane,
            reader,
            writer,
            traffic: Traffic::new(value_bytes, connected.server.item_bytes),
        }
    }

    /// Works until the connection ends; everybody whose request was sent has been told then. Returns whether the server
    /// was of use, and why it ended. It was if it ever answered, or if nobody was owed an answer: healthy ones close
    /// connections on which nothing is asked.
    pub(crate) async fn work(mut self) -> (bool, Error) {
        let error = match self.serve().await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        let of_use = self.traffic.answered || self.traffic.asked.is_empty();
        for asked in self.traffic.asked.drain(..) {
            asked.tell(Err(error.clone().sent()));
        }
        (of_use, error)
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Error> {
        loop {
            self.traffic.take_in(self.lane);
            let due = self.traffic.due(self.lane);
            let Traffic {
                unsent,
                unflushed,
                received,
                ..
            } = &mut self.traffic;
            let (room, sending) = (unsent.len() < UNSENT, !unsent.is_empty() || *unflushed);
            if received.capacity() - received.len() < ROOM / 4 {
                received.reserve(ROOM);
            }
            tokio::select! {
                biased;
                sent = send(&mut self.writer, unsent, unflushed), if sending => sent.map_err(|error| lost(&error))?,
                read = self.reader.read_buf(received) => {
                    if read.map_err(|error| lost(&error))? == 0 {
                        return Err(lost(&io::ErrorKind::UnexpectedEof.into()));
                    }
                    self.traffic.receive()?;
                }
                () = self.lane.arrival(), if room => {
                    if self.lane.is_shared() {
                        // Until the tasks have run that are ready, so that what they ask goes out in the same write.
                        yield_now().await;
                    }
                }
                () = at(due) => {
                    self.lane.expire();
                    self.traffic.expire(self.lane)?;
                }
            }
        }
    }
}

impl Traffic {
    fn new(largest_value: usize, item_bytes: usize) -> Self {
        Self {
            item_bytes,
            unsent: BytesMut::new(),
            unflushed: false,
            received: BytesMut::new(),
            parser: Parser::new(largest_value),
            asked: VecDeque::new(),
            overdue: 0,
            last_opaque: 0,
            alive: Instant::now(),
            answered: false,
        }
    }

    /// Writes what waits.
    fn take_in(&mut self, lane: &Lane) {
        if self.unsent.is_empty() && self.unsent.capacity() > KEPT {
            self.unsent = BytesMut::new();
        }
        while self.unsent.len() < UNSENT
            && let Some(waiting) = lane.next()
        {
            // Sent all the same, it would cost the server what it holds under that key.
            if waiting.request.value().is_some() && waiting.request.size() > self.item_bytes {
                waiting.caller.tell(Err(too_large(self.item_bytes)));
                continue;
            }
            self.last_opaque = self.last_opaque.wrapping_add(1);
            self.asked.push_back(Asked {
                expected: waiting.request.write(self.last_opaque, &mut self.unsent),
                deadline: waiting.caller.deadline,
                caller: Some(waiting.caller),
                _share: waiting.share,
            });
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        self.alive = Instant::now();
        while let Some(reply) = self.parser.next(&mut self.received).map_err(garbage)? {
            self.answer(reply)?;
        }
        if self.received.is_empty() && self.received.capacity() > KEPT {
            self.received = BytesMut::new();
        }
        Ok(())
    }

    fn answer(&mut self, reply: Reply) -> Result<(), Error> {
        let first = self.asked.front();
        let first = first.ok_or(Garbage("a reply that nobody asked for"));
        // Whether it took the request's value for more commands, nobody knows.
        let misunderstood = matches!(reply, Reply::Refused(Refusal::Client, _));
        let answer = first.and_then(|first| first.expected.take(reply));
        self.answered = true;
        let answer = answer.map_err(garbage)?;
        let asked = self
            .asked
            .pop_front()
            .expect("it is the one that was answered");
        self.overdue = self.overdue.saturating_sub(1);
        asked.tell(answer);
        if misunderstood {
            let sentence = "it did not understand a request, and the connection was closed";
            return Err(Error::new(ErrorKind::Disconnected, sentence));
        }
        Ok(())
    }

    /// The next moment when [`expire`](Self::expire) has something to do.
    fn due(&self, lane: &Lane) -> Option<Instant> {
        let next = self.asked.get(self.overdue).map(|asked| asked.deadline);
        let given_up = self.given_up(lane);
        // While all that waits is taken in at once, nothing waits here.
        let waiting = (self.unsent.len() >= UNSENT)
            .then(|| lane.first_deadline())
            .flatten();
        [next, given_up, waiting].into_iter().flatten().min()
    }

    /// When the server is given up: once nothing has come for as long as a request may take, or once one that is overdue
    /// has no answer after twice that time, however much comes.
    fn given_up(&self, lane: &Lane) -> Option<Instant> {
        let first = self.asked.front().filter(|_| self.overdue > 0)?;
        Some(self.alive.min(first.deadline) + lane.limits().timeout)
    }

    /// Tells those whose time is over.
    fn expire(&mut self, lane: &Lane) -> Result<(), Error> {
        let now = Instant::now();
        while let Some(asked) = self.asked.get_mut(self.overdue)
            && asked.deadline <= now
        {
            self.overdue += 1;
            if let Some(caller) = asked.caller.take() {
                caller.tell(Err(overdue()));
            }
        }
        if self.given_up(lane).is_some_and(|moment| moment <= now) {
            let sentence = "it made no progress any more, and the connection was closed";
            return Err(Error::new(ErrorKind::Disconnected, sentence));
        }
        Ok(())
    }
}

impl Asked {
    fn tell(self, answer: Result<Answer, Error>) {
        if let Some(caller) = self.caller {
            caller.tell(answer);
        }
    }
}

/// Sends something, if only what TLS has held back. May be dropped and called again.
async fn send(
    writer: &mut WriteHalf<Stream>,
    unsent: &mut BytesMut,
    unflushed: &mut bool,
) -> io::Result<()> {
    if unsent.is_empty() {
        writer.flush().await?;
        *unflushed = false;
    } else {
        if writer.write_buf(unsent).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        *unflushed = true;
    }
    Ok(())
}

/// Returns at `moment`; without one, never.
pub(crate) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

fn lost(error: &io::Error) -> Error {
    let sentence = format!("the connection was lost: {error}");
    Error::new(ErrorKind::Disconnected, sentence)
}

fn garbage(Garbage(what): Garbage) -> Error {
    let sentence = format!("it sent {what}, and the connection was closed");
    Error::new(ErrorKind::Protocol, sentence)
}

fn too_large(item_bytes: usize) -> Error {
    let sentence = format!("the value is larger than the server holds: -I is {item_bytes} bytes");
    Error::new(ErrorKind::TooLarge, sentence)
}

fn overdue() -> Error {
    Error::new(ErrorKind::Timeout, "no answer came in time").sent()
}
