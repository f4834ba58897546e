//! JSON that can be read again: what is nested too deep for that is not written.

use std::io::{Error, Result, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::depth::{MAX, TooDeep};

/// As compact as [`serde_json::to_writer`] writes.
pub(super) fn write<T: Serialize>(out: impl Write, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Shallow { depth: 0 }))
}

/// Whether there is an integer in it that a [`serde_json::Value`] can't hold: it would become the nearest float.
pub(crate) fn has_large_integer(json: &[u8]) -> bool {
    let mut rest = json;
    while let [first, after @ ..] = rest {
        rest = match first {
            b'"' => behind_string(after),
            b'-' | b'0'..=b'9' => {
                let is_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let length = rest.iter().take_while(|byte| is_of_number(byte)).count();
                let (number, behind) = rest.split_at(length);
                if is_large_integer(number) {
                    return true;
                }
                behind
            }
            _ => after,
        };
    }
    false
}

fn behind_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return after,
            [b'\\', _, after @ ..] | [_, after @ ..] => after,
            [] => return rest,
        };
    }
}

fn is_large_integer(number: &[u8]) -> bool {
    let text = std::str::from_utf8(number).unwrap_or_default();
    let is_integer = !number.iter().any(|byte| b".eE".contains(byte));
    is_integer && text.parse::<i64>().is_err() && text.parse::<u64>().is_err()
}

struct Shallow {
    /// How many arrays and objects are open.
    depth: u8,
}

impl Shallow {
    fn open<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> Result<()> {
        if self.depth == MAX {
            return Err(Error::other(TooDeep));
        }
        self.depth += 1;
        writer.write_all(bracket)
    }

    fn close<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> Result<()> {
        self.depth -= 1;
        writer.write_all(bracket)
    }
}

impl Formatter for Shallow {
    #[inline]
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.open(writer, b"[")
    }

    #[inline]
    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.close(writer, b"]")
    }

    #[inline]
    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.open(writer, b"{")
    }

    #[inline]
    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<()> {
        self.close(writer, b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_64_bits_are_found_wherever_they_stand() {
        let max = u64::MAX.to_string();
        let min = i64::MIN.to_string();
        let small = [
            "0",
            "-1",
            &max,
            &min,
            "1e300",
            "123456789012345678901234567890.5",
            r#"{"123456789012345678901234567890":"\"123456789012345678901234567890"}"#,
            "[null,true,\"\",[]]",
            "",
            "\"\\",
        ];
        for json in small {
            assert!(!has_large_integer(json.as_bytes()), "{json}");
        }
        let large = [
            "18446744073709551616",
            "-9223372036854775809",
            r#"{"a":["x\"y",123456789012345678901234567890]}"#,
        ];
        for json in large {
            assert!(has_large_integer(json.as_bytes()), "{json}");
        }
    }
}
