//! What is asked of a server: the commands that sessions need, how they are written, and which replies answer them.

use std::fmt::Write as _;

use bytes::{BufMut, Bytes, BytesMut};

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::expiry::Expiry;
use crate::reply::{Code, Flags, Garbage, Refusal, Reply};

/// A command for one key.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) key: Box<str>,
    pub(crate) command: Command,
}

#[derive(Debug)]
pub(crate) enum Command {
    Get,
    Add(Bytes, Expiry),
    Swap(u64, Bytes, Expiry),
    /// Of the value with this `cas`; without one, of any.
    Delete(Option<u64>),
    Ping,
}

/// What a request came to.
#[derive(Debug)]
pub(crate) enum Answer {
    Found(Option<Item>),
    Code(Code, Option<u64>),
    Pong,
}

/// A value as a server held it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The value.
    pub value: Bytes,
    /// Changes whenever the value is written; no other value of the server ever has the same. Never 0.
    pub cas: u64,
}

/// The reply of a request that has no answer yet.
#[derive(Debug)]
pub(crate) struct Expected {
    kind: Kind,
    opaque: u32,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Get,
    Change,
    Ping,
}

impl Request {
    /// More than a server adds to a key and a value when it weighs them against its limit.
    const OVERHEAD: usize = 128;

    pub(crate) fn new(key: &str, command: Command) -> Result<Self, Error> {
        let wrong = |byte: u8| byte <= b' ' || byte == 0x7f;
        if key.is_empty() || key.len() > Client::MAX_KEY_BYTES || key.bytes().any(wrong) {
            let sentence = "a key has 1 to 250 bytes without spaces and control characters";
            return Err(Error::new(ErrorKind::Invalid, sentence));
        }
        Ok(Self {
            key: key.into(),
            command,
        })
    }

    /// Asks for nothing, and so for no key.
    pub(crate) fn ping() -> Self {
        Self {
            key: Box::default(),
            command: Command::Ping,
        }
    }

    /// What is being done, for errors.
    pub(crate) fn doing(&self) -> &'static str {
        match self.command {
            Command::Get => "reading a value",
            Command::Add(..) => "adding a value",
            Command::Swap(..) => "replacing a value",
            Command::Delete(_) => "deleting a value",
            Command::Ping => "asking whether it answers",
        }
    }

    /// About how many bytes it takes while it waits, and more than it takes on a server.
    pub(crate) fn size(&self) -> usize {
        Self::OVERHEAD + self.key.len() + self.value().map_or(0, Bytes::len)
    }

    /// The value that it writes.
    pub(crate) fn value(&self) -> Option<&Bytes> {
        match &self.command {
            Command::Add(value, _) | Command::Swap(_, value, _) => Some(value),
            Command::Get | Command::Delete(_) | Command::Ping => None,
        }
    }

    /// Writes it under the number `opaque`, which its reply repeats; returns what that will be.
    pub(crate) fn write(&self, opaque: u32, out: &mut BytesMut) -> Expected {
        let key = &self.key;
        let kind = match &self.command {
            Command::Get => {
                line(out, format_args!("mg {key} v c O{opaque}"));
                Kind::Get
            }
            Command::Add(value, expiry) => {
                let (length, expiry) = (value.len(), expiry.number());
                line(
                    out,
                    format_args!("ms {key} {length} ME c T{expiry} O{opaque}"),
                );
                self::value(out, value);
                Kind::Change
            }
            Command::Swap(cas, value, expiry) => {
                let (length, expiry) = (value.len(), expiry.number());
                line(
                    out,
                    format_args!("ms {key} {length} C{cas} c T{expiry} O{opaque}"),
                );
                self::value(out, value);
                Kind::Change
            }
            Command::Delete(Some(cas)) => {
                line(out, format_args!("md {key} C{cas} O{opaque}"));
                Kind::Change
            }
            Command::Delete(None) => {
                line(out, format_args!("md {key} O{opaque}"));
                Kind::Change
            }
            Command::Ping => {
                line(out, format_args!("mn"));
                Kind::Ping
            }
        };
        Expected { kind, opaque }
    }
}

/// A line that ends.
fn line(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes any text");
    out.put_slice(b"\r\n");
}

fn value(out: &mut BytesMut, value: &Bytes) {
    out.reserve(value.len() + 2);
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

impl Expected {
    /// What `reply` answers; [`Garbage`] if it can't be the reply to this request.
    pub(crate) fn take(&self, reply: Reply) -> Result<Result<Answer, Error>, Garbage> {
        self.is_ours(&reply)?;
        match (self.kind, reply) {
            (_, Reply::Refused(refusal, text)) => Ok(Err(refused(refusal, &text))),
            (Kind::Ping, Reply::Nothing) => Ok(Ok(Answer::Pong)),
            (Kind::Change, Reply::Code(code, flags)) => Ok(Ok(Answer::Code(code, flags.cas))),
            (Kind::Get, reply) => found(reply),
            _ => Err(UNFIT),
        }
    }

    /// Errors and `MN` have no number; their place in the order has to do.
    fn is_ours(&self, reply: &Reply) -> Result<(), Garbage> {
        let (Reply::Value(_, flags) | Reply::Code(_, flags)) = reply else {
            return Ok(());
        };
        if flags.opaque == Some(self.opaque) {
            Ok(())
        } else {
            Err(Garbage("the reply to another request"))
        }
    }
}

const UNFIT: Garbage = Garbage("a reply that does not fit the request");

fn found(reply: Reply) -> Result<Result<Answer, Error>, Garbage> {
    match reply {
        Reply::Value(Some(value), Flags { cas: Some(cas), .. }) => {
            Ok(Ok(Answer::Found(Some(Item { value, cas }))))
        }
        Reply::Value(Some(_), _) => Err(Garbage("a value without its cas")),
        Reply::Value(None, _) => Ok(Err(Error::new(
            ErrorKind::TooLarge,
            "the value is larger than this client reads",
        ))),
        Reply::Code(Code::Missing, _) => Ok(Ok(Answer::Found(None))),
        _ => Err(UNFIT),
    }
}

fn refused(refusal: Refusal, text: &str) -> Error {
    let kind = match refusal {
        Refusal::Client if text.starts_with("unauthenticated") => ErrorKind::Authentication,
        Refusal::Server if text.starts_with("object too large") => ErrorKind::TooLarge,
        Refusal::Server if text.starts_with("out of memory") => ErrorKind::OutOfMemory,
        _ => ErrorKind::Refused,
    };
    let error = Error::new(kind, format!("it answered: {}", text.escape_debug()));
    match (refusal, kind) {
        // What stands between may say so when it has passed the request on.
        (Refusal::Server, ErrorKind::Refused) => error.sent(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(command: Command) -> String {
        let mut out = BytesMut::new();
        let request = Request::new("key", command).expect("a key");
        request.write(7, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    #[test]
    fn commands_are_written_as_the_page_shows_them() {
        let value = || Bytes::from_static(b"abc");
        let for_ever = Expiry::NEVER;
        let commands = [
            (Command::Get, "mg key v c O7\r\n"),
            (
                Command::Add(value(), for_ever),
                "ms key 3 ME c T0 O7\r\nabc\r\n",
            ),
            (
                Command::Swap(9, value(), Expiry::AT_ONCE),
                "ms key 3 C9 c T-1 O7\r\nabc\r\n",
            ),
            (Command::Delete(Some(9)), "md key C9 O7\r\n"),
            (Command::Delete(None), "md key O7\r\n"),
            (Command::Ping, "mn\r\n"),
        ];
        for (command, line) in commands {
            assert_eq!(written(command), line);
        }
    }

    #[test]
    fn keys_that_would_break_a_command_are_refused() {
        let long = "k".repeat(251);
        for key in ["", " ", "a b", "a\r\nflush_all", "a\0", "a\x7f", &long] {
            let error = Request::new(key, Command::Get).expect_err(key);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{key:?}");
            assert!(!error.may_have_applied());
        }
        Request::new(&"k".repeat(250), Command::Get).expect("as long as may be");
        Request::new("Größe", Command::Get).expect("bytes over 127 are no controls");
    }

    #[test]
    fn the_reply_to_another_request_is_garbage() {
        let mut out = BytesMut::new();
        let request = Request::new("key", Command::Get).expect("a key");
        for flags in [Some(6), None] {
            let flags = Flags {
                opaque: flags,
                ..Flags::default()
            };
            let expected = request.write(7, &mut out);
            let answer = expected.take(Reply::Code(Code::Missing, flags));
            assert!(answer.is_err(), "{answer:?}");
        }
    }
}
