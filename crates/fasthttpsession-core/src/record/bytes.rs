//! A whole record as bytes, for stores that keep one value a key. Numbers have fixed places and the highest byte first, so
//! that a script in a server can compare and change them where they lie.
//!
//! | bytes | |
//! | --- | --- |
//! | 0 | `S` |
//! | 1 | the version of this layout: 1 |
//! | 2, 3 | the lengths of principal and label; 0 for none |
//! | 4–7 | the length of the body |
//! | 8–15 | the record's version |
//! | 16–23 | `created_at`, milliseconds since the Unix epoch, as are the next two |
//! | 24–31 | `idle_deadline` |
//! | 32–39 | `absolute_deadline` |
//! | 40– | principal, label, body |

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::{Header, Label, Principal, Record};
use crate::time::Timestamp;
use crate::wire::short_len;

const MARK: u8 = b'S';
const LAYOUT: u8 = 1;

impl Record {
    /// How many bytes come before the principal.
    const FIXED_BYTES: usize = 40;
    /// The most bytes that a record's values may take, so that the length of its body has room.
    pub(crate) const MAX_VALUES_BYTES: usize = 1 << 30;

    /// The whole record as bytes, for stores that keep one value a key. [`from_bytes`](Self::from_bytes) reads them.
    ///
    /// The layout is part of the contract, for scripts in servers: `S`, the byte 1, the lengths of principal and label
    /// (one byte each) and of the body (four), then version, `created_at`, `idle_deadline`, `absolute_deadline` (eight
    /// bytes each), then principal, label and body. Numbers have their highest byte first. To overwrite the eight bytes of
    /// `idle_deadline`, those at 24, is all that a touch needs to do.
    ///
    /// # Panics
    ///
    /// If the body has 4 GiB or more, which no session's has: values take 1 GiB at most.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Header {
            version,
            created_at,
            idle_deadline,
            absolute_deadline,
            ..
        } = self.header;
        let (principal, label) = (self.principal_text(), self.label_text());
        let body_len = u32::try_from(self.body.len()).expect("a body is shorter than 4 GiB");
        let mut out =
            Vec::with_capacity(Self::FIXED_BYTES + principal.len() + label.len() + self.body.len());
        out.extend([
            MARK,
            LAYOUT,
            short_len(principal.len()),
            short_len(label.len()),
        ]);
        out.extend(body_len.to_be_bytes());
        out.extend(version.to_be_bytes());
        for moment in [created_at, idle_deadline, absolute_deadline] {
            out.extend(moment.as_millis().to_be_bytes());
        }
        out.extend_from_slice(principal.as_bytes());
        out.extend_from_slice(label.as_bytes());
        out.extend_from_slice(&self.body);
        out
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. The body is a part of `bytes`, not a copy. Costs a look at the
    /// first bytes, whatever they are.
    pub fn from_bytes(mut bytes: Bytes) -> Result<Self, InvalidRecord> {
        let (header, body_at) = read_header(&bytes)?;
        bytes.advance(body_at);
        Ok(Self {
            header,
            body: bytes,
        })
    }

    fn principal_text(&self) -> &str {
        self.header.principal.as_ref().map_or("", Principal::as_str)
    }

    fn label_text(&self) -> &str {
        self.header.label.as_ref().map_or("", Label::as_str)
    }
}

/// Bytes that are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidRecord {
    /// They begin with something else.
    #[error("they don't begin like a record")]
    NoRecord,
    /// A later version of this library wrote them.
    #[error("they have layout {layout}, and this version of the library reads layout 1")]
    Layout {
        /// The layout that they announce.
        layout: u8,
    },
    /// Some are missing, or there are more than they announce.
    #[error("they announce another length than they have, {bytes}")]
    Length {
        /// How many there are.
        bytes: usize,
    },
    /// A number, the principal or the label is one that no record has.
    #[error("their header has a {what} that no record has")]
    Header {
        /// What is wrong.
        what: &'static str,
    },
}

#[inline]
fn read_header(bytes: &[u8]) -> Result<(Header, usize), InvalidRecord> {
    let length = InvalidRecord::Length { bytes: bytes.len() };
    let (principal_len, label_len) = match *bytes {
        [MARK, LAYOUT, principal, label, ..] => (usize::from(principal), usize::from(label)),
        [MARK, layout, ..] if layout != LAYOUT => return Err(InvalidRecord::Layout { layout }),
        [MARK, ..] => return Err(length),
        _ => return Err(InvalidRecord::NoRecord),
    };
    let (mut fixed, rest) = bytes.split_at_checked(Record::FIXED_BYTES).ok_or(length)?;
    let (principal, rest) = rest.split_at_checked(principal_len).ok_or(length)?;
    let (label, body) = rest.split_at_checked(label_len).ok_or(length)?;
    fixed.advance(4); // Mark, layout and the two lengths.
    if u64::from(fixed.get_u32()) != body.len() as u64 {
        return Err(length);
    }
    let header = Header {
        version: signed("version", fixed.get_u64())?,
        created_at: moment("creation time", fixed.get_u64())?,
        idle_deadline: moment("idle deadline", fixed.get_u64())?,
        absolute_deadline: moment("absolute deadline", fixed.get_u64())?,
        principal: text("principal", principal, Principal::new)?,
        label: text("label", label, Label::new)?,
    };
    Ok((header, bytes.len() - body.len()))
}

fn signed(what: &'static str, number: u64) -> Result<u64, InvalidRecord> {
    match i64::try_from(number) {
        Ok(_) => Ok(number),
        Err(_) => Err(InvalidRecord::Header { what }),
    }
}

fn moment(what: &'static str, number: u64) -> Result<Timestamp, InvalidRecord> {
    signed(what, number).map(Timestamp::from_millis)
}

#[inline]
fn text<T, E>(
    what: &'static str,
    bytes: &[u8],
    new: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, InvalidRecord> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let invalid = InvalidRecord::Header { what };
    let text = std::str::from_utf8(bytes).map_err(|_| invalid)?;
    new(text).map(Some).map_err(|_| invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        let at = Timestamp::from_millis;
        Record {
            header: Header {
                version: 0x0102_0304_0506_0708,
                created_at: at(1),
                idle_deadline: at(0x1122_3344_5566_7788),
                absolute_deadline: Timestamp::MAX,
                principal: Principal::new("zoë").ok(),
                label: Label::new(&"x".repeat(255)).ok(),
            },
            body: Bytes::from_static(b"body"),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let bare = Record {
            header: Header {
                principal: None,
                label: None,
                ..sample().header
            },
            body: Bytes::new(),
        };
        for record in [sample(), bare] {
            assert_eq!(Record::from_bytes(record.to_bytes().into()), Ok(record));
        }
    }

    #[test]
    fn scripts_find_the_numbers_where_they_are_promised() {
        let bytes = sample().to_bytes();
        assert_eq!(bytes[8..16], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[16..24], 1_u64.to_be_bytes());
        assert_eq!(
            bytes[24..32],
            [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]
        );
        assert_eq!(bytes[32..40], i64::MAX.to_be_bytes());
    }

    #[test]
    fn bytes_that_were_cut_or_appended_to_are_no_record() {
        let whole = sample().to_bytes();
        for end in 0..whole.len() {
            let cut = Bytes::copy_from_slice(&whole[..end]);
            Record::from_bytes(cut).expect_err("some bytes are missing");
        }
        let longer = [&whole[..], b"!"].concat();
        assert!(matches!(
            Record::from_bytes(longer.into()),
            Err(InvalidRecord::Length { .. })
        ));
    }

    #[test]
    fn a_later_layout_is_told_apart_from_rubbish() {
        let mut later = sample().to_bytes();
        later[1] = 2;
        assert_eq!(
            Record::from_bytes(later.into()),
            Err(InvalidRecord::Layout { layout: 2 })
        );
        let rubbish = Bytes::from_static(b"rubbish");
        assert_eq!(Record::from_bytes(rubbish), Err(InvalidRecord::NoRecord));
    }

    #[test]
    fn a_header_that_no_record_has_is_refused() {
        let spoiled: [(usize, u8); 4] = [
            (8, 0x80),
            (24, 0x80),
            (32, 0xff),
            (Record::FIXED_BYTES, 0xff),
        ];
        for (at, byte) in spoiled {
            let mut bytes = sample().to_bytes();
            bytes[at] = byte;
            assert!(matches!(
                Record::from_bytes(bytes.into()),
                Err(InvalidRecord::Header { .. })
            ));
        }
    }
}
