//! Values as they stand in the text of a statement: numbers, bytes in hexadecimal, NULL. None of them can be mistaken for
//! anything else, whatever the server's settings are.

use std::fmt::{self, Display, Formatter};

/// Bytes, as in `x'00ff'`.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        f.write_str("x'")?;
        for chunk in self.0.chunks(32) {
            let mut digits = [0; 64];
            for (pair, byte) in digits.chunks_exact_mut(2).zip(chunk) {
                pair[0] = DIGITS[usize::from(byte >> 4)];
                pair[1] = DIGITS[usize::from(byte & 15)];
            }
            let digits = std::str::from_utf8(&digits[..2 * chunk.len()]);
            f.write_str(digits.expect("they are digits"))?;
        }
        f.write_str("'")
    }
}

/// Bytes, or NULL.
pub(crate) struct MaybeHex<'a>(pub(crate) Option<&'a [u8]>);

impl Display for MaybeHex<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => Hex(bytes).fmt(f),
            None => f.write_str("NULL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_digits_alone() {
        assert_eq!(Hex(b"\x00\x7f\xff'").to_string(), "x'007fff27'");
        assert_eq!(Hex(b"").to_string(), "x''");
        let long = [0xab; 100];
        assert_eq!(Hex(&long).to_string(), format!("x'{}'", "ab".repeat(100)));
        assert_eq!(MaybeHex(None).to_string(), "NULL");
    }
}
