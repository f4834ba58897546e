//! The few shapes of bytes that records are made of. Reading is bounded by the bytes there are and never panics.

/// Takes bytes off the front of a slice.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// All that was not taken yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// Eight bytes, the lowest first.
    #[inline]
    pub(crate) fn fixed(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Unsigned LEB128, of at most ten bytes.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<u64> {
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Some(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

/// A length in one byte: of a key, a name or a list whose bound was checked when it was made.
pub(crate) fn short_len(len: usize) -> u8 {
    u8::try_from(len).expect("what is written with a one-byte length is bounded when it is made")
}

/// Appends `value` as unsigned LEB128.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(0x80 | low_bits(value));
        value >>= 7;
    }
    out.push(low_bits(value));
}

/// The lowest seven bits.
fn low_bits(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// How many bytes [`write_varint`] appends.
pub(crate) fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_take_the_bytes_announced() {
        let edges = (0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, u64::MAX >> bit]);
        for value in edges {
            let mut bytes = Vec::new();
            write_varint(&mut bytes, value);
            assert_eq!(bytes.len(), varint_bytes(value), "{value}");
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.varint(), reader.rest()), (Some(value), &[][..]));
        }
    }

    #[test]
    fn varints_that_end_early_or_overflow_are_none() {
        for bytes in [&[][..], &[0x80], &[0xff; 9], &[0xff; 10], &[0x80; 11]] {
            assert_eq!(Reader::new(bytes).varint(), None, "{bytes:?}");
        }
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.fixed(), None);
        assert_eq!(reader.take(4), None);
        assert_eq!(reader.take(usize::MAX), None);
        assert_eq!(reader.take(3), Some(&[1, 2, 3][..]));
        assert_eq!(reader.byte(), None);
    }
}
