//! Reads what a server answers. Whatever comes, it costs bounded memory and never panics; what is no reply is
//! [`Garbage`], after which the connection is of no use.

use bytes::{Buf, Bytes, BytesMut};

/// The longest line of a reply, with its end. Real ones have under 100 bytes.
const LONGEST_LINE: usize = 1024;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A value; `None` if it is larger than this client reads.
    Value(Option<Bytes>, Flags),
    Code(Code, Flags),
    /// `STAT <name> <value>`.
    Stat(String),
    /// `END`: there are no more `STAT`s.
    End,
    /// Answers the credentials.
    Stored,
    /// `MN`: answers a command that does nothing.
    Nothing,
    Refused(Refusal, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// `HD`: done.
    Done,
    /// `NS`: not stored, for there is something.
    NotStored,
    /// `EX`: what is there has changed.
    Changed,
    /// `NF` and `EN`: nothing is there.
    Missing,
}

/// What a reply says beside its code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// The number of the request.
    pub(crate) opaque: Option<u32>,
    pub(crate) cas: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `ERROR` and `CLIENT_ERROR`: the server did not understand, and may take a value for commands.
    Client,
    /// `SERVER_ERROR`: it could not do it, and reads on at the next request.
    Server,
}

/// Bytes that are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbage(pub(crate) &'static str);

/// Takes replies off the front of what was received.
pub(crate) struct Parser {
    largest_value: usize,
    state: State,
}

enum State {
    Line,
    /// A value of this many bytes, without its end, is to come.
    Value(usize, Flags),
    /// Of a value that is too large, this much is still to come, with its end.
    Skip(usize, Flags),
}

impl Parser {
    pub(crate) fn new(largest_value: usize) -> Self {
        Self {
            largest_value,
            state: State::Line,
        }
    }

    /// The next reply; `None` as long as `received` does not have all of it.
    pub(crate) fn next(&mut self, received: &mut BytesMut) -> Result<Option<Reply>, Garbage> {
        loop {
            match self.state {
                State::Line => match self.line(received)? {
                    Next::Reply(reply) => return Ok(Some(reply)),
                    Next::More => return Ok(None),
                    Next::Again => {}
                },
                State::Value(length, flags) => {
                    let Some(value) = value(received, length)? else {
                        return Ok(None);
                    };
                    self.state = State::Line;
                    return Ok(Some(Reply::Value(Some(value), flags)));
                }
                State::Skip(left, flags) => {
                    let here = left.min(received.len());
                    received.advance(here);
                    if here < left {
                        self.state = State::Skip(left - here, flags);
                        return Ok(None);
                    }
                    self.state = State::Line;
                    return Ok(Some(Reply::Value(None, flags)));
                }
            }
        }
    }

    fn line(&mut self, received: &mut BytesMut) -> Result<Next, Garbage> {
        let searched = &received[..received.len().min(LONGEST_LINE)];
        let Some(end) = searched.iter().position(|byte| *byte == b'\n') else {
            return match searched.len() {
                LONGEST_LINE => Err(Garbage("a line that does not end")),
                _ => Ok(Next::More),
            };
        };
        let line = received.split_to(end + 1);
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or(Garbage("a line without its end"))?;
        let text = std::str::from_utf8(line).map_err(|_| Garbage("a line that is no text"))?;
        self.understand(text)
    }

    fn understand(&mut self, line: &str) -> Result<Next, Garbage> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let code = match word {
            "VA" => return self.announce(rest),
            "HD" => Code::Done,
            "NS" => Code::NotStored,
            "EX" => Code::Changed,
            "NF" | "EN" => Code::Missing,
            _ => return text_reply(word, rest).map(Next::Reply),
        };
        Ok(Next::Reply(Reply::Code(code, flags(rest)?)))
    }

    /// `VA <length> <flags>`: a value follows.
    fn announce(&mut self, rest: &str) -> Result<Next, Garbage> {
        let (length, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let length = number::<u32>(length)? as usize;
        let flags = flags(rest)?;
        self.state = if length <= self.largest_value {
            State::Value(length, flags)
        } else {
            State::Skip(length.saturating_add(END.len()), flags)
        };
        Ok(Next::Again)
    }
}

/// What a line was.
enum Next {
    Reply(Reply),
    /// The start of a value.
    Again,
    /// Not all of it has come.
    More,
}

const END: &[u8] = b"\r\n";

/// Copies the value: small ones would otherwise keep a whole buffer in memory.
fn value(received: &mut BytesMut, length: usize) -> Result<Option<Bytes>, Garbage> {
    if received.len() < length + END.len() {
        received.reserve(length + END.len() - received.len());
        return Ok(None);
    }
    if &received[length..length + END.len()] != END {
        return Err(Garbage("a value of another length than announced"));
    }
    let value = Bytes::copy_from_slice(&received[..length]);
    received.advance(length + END.len());
    Ok(Some(value))
}

fn text_reply(word: &str, rest: &str) -> Result<Reply, Garbage> {
    match (word, rest) {
        ("STAT", _) => Ok(Reply::Stat(rest.to_owned())),
        ("END", "") => Ok(Reply::End),
        ("STORED", "") => Ok(Reply::Stored),
        ("MN", "") => Ok(Reply::Nothing),
        ("ERROR", _) => Ok(refused(Refusal::Client, "it does not know the command")),
        ("CLIENT_ERROR", _) => Ok(refused(Refusal::Client, rest)),
        ("SERVER_ERROR", _) => Ok(refused(Refusal::Server, rest)),
        _ => Err(Garbage("a line that is no reply")),
    }
}

fn refused(refusal: Refusal, text: &str) -> Reply {
    Reply::Refused(refusal, text.chars().take(200).collect())
}

fn flags(text: &str) -> Result<Flags, Garbage> {
    let mut flags = Flags::default();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match (word.as_bytes()[0], word.get(1..)) {
            (b'O', Some(token)) => flags.opaque = Some(number(token)?),
            (b'c', Some(token)) => flags.cas = Some(number(token)?),
            // Later versions may say more.
            _ => {}
        }
    }
    Ok(flags)
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, Garbage> {
    let garbage = Garbage("a number that is none");
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(garbage);
    }
    text.parse().map_err(|_| garbage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parser: &mut Parser, bytes: &[u8], step: usize) -> Result<Vec<Reply>, Garbage> {
        let (mut received, mut replies) = (BytesMut::new(), Vec::new());
        for part in bytes.chunks(step) {
            received.extend_from_slice(part);
            while let Some(reply) = parser.next(&mut received)? {
                replies.push(reply);
            }
        }
        Ok(replies)
    }

    fn flags(opaque: u32) -> Flags {
        Flags {
            opaque: Some(opaque),
            ..Flags::default()
        }
    }

    const STREAM: &[u8] = b"EN O1\r\nHD O2 c18446744073709551615\r\nVA 4 O3 c7\r\n\r\n\r\n\r\nVA 0 O4 W\r\n\r\n\
        VA 9 O5\r\n123456789\r\nNS O6 c0\r\nEX O7\r\nNF O8\r\nSTAT evictions on\r\nEND\r\nSTORED\r\nMN\r\n\
        SERVER_ERROR out of memory storing object\r\nERROR\r\n";

    fn expected() -> Vec<Reply> {
        let cas = |cas, opaque| Flags {
            cas: Some(cas),
            ..flags(opaque)
        };
        vec![
            Reply::Code(Code::Missing, flags(1)),
            Reply::Code(Code::Done, cas(u64::MAX, 2)),
            Reply::Value(Some(Bytes::from_static(b"\r\n\r\n")), cas(7, 3)),
            Reply::Value(Some(Bytes::new()), flags(4)),
            Reply::Value(None, flags(5)),
            Reply::Code(Code::NotStored, cas(0, 6)),
            Reply::Code(Code::Changed, flags(7)),
            Reply::Code(Code::Missing, flags(8)),
            Reply::Stat("evictions on".to_owned()),
            Reply::End,
            Reply::Stored,
            Reply::Nothing,
            Reply::Refused(Refusal::Server, "out of memory storing object".to_owned()),
            Reply::Refused(Refusal::Client, "it does not know the command".to_owned()),
        ]
    }

    #[test]
    fn replies_are_the_same_however_they_are_cut() {
        for step in 1..=STREAM.len() {
            let replies = all(&mut Parser::new(8), STREAM, step);
            assert_eq!(replies, Ok(expected()), "in steps of {step}");
        }
    }

    #[test]
    fn what_is_no_reply_is_told_apart() {
        let long = "x".repeat(LONGEST_LINE);
        let wrong = [
            "\n",
            "\r\n",
            "HD O1\n",
            "VA\r\n",
            "VA x\r\n",
            "VA -1\r\n",
            "VA +1\r\n",
            "VA 4294967296\r\n",
            "HD Ox\r\n",
            "HD O\r\n",
            "HD c-1\r\n",
            "END x\r\n",
            "HDO1\r\n",
            "hd O1\r\n",
            "STORED x\r\n",
            "VA 1\r\nxx\r\n",
            "VA 1\r\n\r\n\r\n",
            "MN x\r\n",
            "\u{e9}\r\n",
            &long,
        ];
        for bytes in wrong {
            let replies = all(&mut Parser::new(8), bytes.as_bytes(), 3);
            assert!(replies.is_err(), "{bytes:?} was read as {replies:?}");
        }
        let no_text = all(&mut Parser::new(8), b"HD \xff\r\n", 3);
        assert!(no_text.is_err());
    }

    /// Random changes of real replies, and pure noise, in random pieces: never a panic, never more memory than the
    /// largest value and the longest line take.
    #[test]
    fn hostile_replies_cost_bounded_memory_and_never_panic() {
        const VALUE: usize = 100;
        for seed in 0..3_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let bytes = hostile(&mut random);
            let (mut parser, mut received) = (Parser::new(VALUE), BytesMut::new());
            let mut rest = &bytes[..];
            'bytes: while !rest.is_empty() {
                let (part, left) = rest.split_at(random.usize(1..=rest.len().min(64)));
                received.extend_from_slice(part);
                rest = left;
                loop {
                    match parser.next(&mut received) {
                        Ok(Some(Reply::Value(Some(value), _))) => assert!(value.len() <= VALUE),
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(Garbage(_)) => break 'bytes,
                    }
                }
                assert!(received.len() <= LONGEST_LINE + VALUE, "seed {seed}");
                assert!(received.capacity() <= 8 * LONGEST_LINE, "seed {seed}");
            }
        }
    }

    fn hostile(random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = if random.bool() {
            STREAM.repeat(random.usize(1..4))
        } else {
            let alphabet = b"VAHDNSEXNF 0123456789Oct-\r\n\r\n";
            let byte = |_| alphabet[random.usize(..alphabet.len())];
            (0..2_000).map(byte).collect()
        };
        for _ in 0..random.usize(..6) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.insert(at, random.u8(..)),
                2 => drop(bytes.remove(at)),
                _ => drop(bytes.drain(..at)),
            }
            if bytes.is_empty() {
                bytes.push(b'V');
            }
        }
        bytes
    }
}
