//! JSON that can be read again: what is nested too deep for that is not written.

use std::io::{Error, Result, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// As compact as [`serde_json::to_writer`] writes.
pub(super) fn write<T: Serialize>(out: impl Write, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Shallow { depth: 0 }))
}

struct Shallow {
    /// How many arrays and objects are open.
    depth: u8,
}

impl Shallow {
    /// As deep as `serde_json` reads.
    const MAX_DEPTH: u8 = 127;

    fn open<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> Result<()> {
        if self.depth == Self::MAX_DEPTH {
            return Err(Error::other("it is nested more than 127 deep"));
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
