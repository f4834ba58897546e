//! The content of a record's file: two places of the same size, which are written in turn. The one that was not written
//! last keeps the record that was there before, so that whoever is killed while writing leaves a whole record, and
//! whoever reads meanwhile finds one.
//!
//! | bytes of a place | |
//! | --- | --- |
//! | 0–7 | a number, one more at each write; 0 if nothing was written here yet |
//! | 8–11 | the length of the record |
//! | 12–19 | the first bytes of SHA-256 over the size of a place and all else: a place that was written in part is known by it |
//! | 20– | the record, as [`Record::to_bytes`](fasthttpsession_core::Record::to_bytes) makes it |
//! | 8 bytes after it | the mark: bytes 12–19 again, once the record is known to be on the disk |
//!
//! That a record can be read tells nothing of the disk: whoever wrote it may have been killed before they waited for it,
//! and a wait that failed is not failed a second time. The mark is written when the wait is over, and is itself not
//! waited for. Whoever wants no more than to outlive the process writes none.
//!
//! Whoever reads takes no lock, and so may find the newer record half written. The other one is then the current one, if
//! nobody has written over it since it was read: to that its number is looked at again.
//!
//! Numbers have their highest byte first.

use sha2::{Digest, Sha256};

const HEAD: usize = 20;
const MARK: usize = 8;
/// A place is a multiple of what disks write as one piece.
const SECTOR: usize = 512;
/// A file in whose places this many records of the size would fit is made anew.
const TOO_ROOMY: usize = 8;

/// The whole record with the highest number, and where it lies.
pub(crate) struct Current<'a> {
    pub(crate) record: &'a [u8],
    pub(crate) place: Place,
}

/// Where the current record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    second: bool,
    number: u64,
    size: usize,
    /// Whether the record is known to be on the disk.
    pub(crate) on_disk: bool,
    /// Whether the other place is the newer one, and not whole.
    pub(crate) in_doubt: bool,
}

/// Bytes to be written at a place that holds no current record.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The current record of a file; `None` if it has none. Costs a look at the bytes, whatever they are.
pub(crate) fn current(file: &[u8]) -> Option<Current<'_>> {
    let (first, second) = file.split_at(file.len() / 2);
    if first.len() != second.len() || first.len() % SECTOR != 0 {
        return None;
    }
    let second_is_newer = number(second) > number(first);
    [second_is_newer, !second_is_newer]
        .into_iter()
        .find_map(|is_second| {
            let bytes = if is_second { second } else { first };
            let parts = whole(bytes)?;
            let place = Place {
                second: is_second,
                number: number(bytes),
                size: bytes.len(),
                on_disk: parts.rest.starts_with(parts.check),
                in_doubt: is_second != second_is_newer,
            };
            Some(Current {
                record: parts.record,
                place,
            })
        })
}

/// The content of a new file that holds `record`, with room to grow by a quarter.
pub(crate) fn fresh(record: &[u8]) -> Vec<u8> {
    let size = fresh_len(record.len()) / 2;
    let mut file = place_with(size, 1, record);
    file.resize(2 * size, 0);
    file
}

/// The size of the file that [`fresh`] makes for a record of `length` bytes.
pub(crate) const fn fresh_len(length: usize) -> usize {
    2 * (HEAD + length + length / 4 + MARK).next_multiple_of(SECTOR)
}

/// How to mark the record that was written at `at`, of which `place` is the beginning; `None` if it holds none.
pub(crate) fn mark(at: u64, place: &[u8]) -> Option<Write> {
    let parts = Parts::of(place)?;
    Some(Write {
        at: at + (HEAD + parts.record.len()) as u64,
        bytes: parts.check.to_vec(),
    })
}

impl Place {
    /// Whether the record is the current one although it was [`in_doubt`](Self::in_doubt). `read` reads the file anew, from
    /// a place on, and returns how many bytes there were.
    pub(crate) fn is_still_there<E>(
        self,
        read: impl FnOnce(&mut [u8], u64) -> Result<usize, E>,
    ) -> Result<bool, E> {
        let mut number = [0; 8];
        let at = if self.second { self.size as u64 } else { 0 };
        let length = read(&mut number, at)?;
        Ok(length == number.len() && u64::from_be_bytes(number) == self.number)
    }

    /// How to write the next record; `None` if the file is too small for it, or far too large, or if no number is left
    /// that would tell it as the newer one.
    pub(crate) fn next(self, record: &[u8]) -> Option<Write> {
        let needed = HEAD + record.len() + MARK;
        let too_roomy = self.size > SECTOR && self.size / TOO_ROOMY > needed;
        if needed > self.size || too_roomy {
            return None;
        }
        let number = self.number.checked_add(1)?;
        Some(Write {
            at: if self.second { 0 } else { self.size as u64 },
            bytes: place_with(self.size, number, record),
        })
    }
}

fn place_with(size: usize, number: u64, record: &[u8]) -> Vec<u8> {
    let length = u32::try_from(record.len()).expect("the store refuses larger records");
    let mut bytes = Vec::with_capacity(HEAD + record.len());
    bytes.extend(number.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(check(size, &bytes, record));
    bytes.extend_from_slice(record);
    bytes
}

fn number(place: &[u8]) -> u64 {
    place
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// A place, by what its length says.
struct Parts<'a> {
    numbers: &'a [u8],
    check: &'a [u8],
    record: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(place: &'a [u8]) -> Option<Self> {
        let (head, rest) = place.split_first_chunk::<HEAD>()?;
        let (numbers, check) = head.split_at(12);
        let length = u32::from_be_bytes(*numbers.last_chunk()?);
        let (record, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        Some(Self {
            numbers,
            check,
            record,
            rest,
        })
    }
}

/// A place that was written as a whole.
fn whole(place: &[u8]) -> Option<Parts<'_>> {
    Parts::of(place).filter(|parts| check(place.len(), parts.numbers, parts.record) == parts.check)
}

fn check(size: usize, numbers: &[u8], record: &[u8]) -> [u8; 8] {
    let digest = Sha256::new()
        .chain_update((size as u64).to_be_bytes())
        .chain_update(numbers)
        .chain_update(record)
        .finalize();
    *digest.first_chunk().expect("a digest has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(file: &mut [u8], record: &[u8], how_much: usize) {
        let write = current(file).unwrap().place.next(record).unwrap();
        let at = usize::try_from(write.at).unwrap();
        let cut = how_much.min(write.bytes.len());
        file[at..at + cut].copy_from_slice(&write.bytes[..cut]);
    }

    #[test]
    fn records_written_in_turn_are_read_back() {
        let mut file = fresh(b"record 1");
        assert_eq!(file.len(), fresh_len(8));
        for number in 2..9 {
            let record = format!("record {number}").into_bytes();
            written(&mut file, &record, usize::MAX);
            assert_eq!(current(&file).unwrap().record, record);
        }
    }

    #[test]
    fn a_write_cut_short_at_any_byte_leaves_the_record_before_it() {
        for before in 1..4 {
            let mut file = fresh(b"record 0");
            for number in 1..before {
                written(&mut file, format!("record {number}").as_bytes(), usize::MAX);
            }
            let old = current(&file).unwrap().record.to_vec();
            for cut in 0..HEAD + 6 {
                let mut cut_short = file.clone();
                written(&mut cut_short, b"the new", cut);
                assert_eq!(
                    current(&cut_short).unwrap().record,
                    old,
                    "after {cut} bytes"
                );
                written(&mut cut_short, b"another", usize::MAX);
                assert_eq!(current(&cut_short).unwrap().record, b"another");
            }
        }
    }

    /// The first place is read, and the second after two more records were begun.
    #[test]
    fn a_record_that_was_written_over_while_it_was_read_is_known_by_its_number() {
        for meanwhile in [0, 1] {
            let mut file = fresh(b"record 1");
            let before = file.clone();
            for number in 2..2 + 2 * meanwhile {
                written(&mut file, format!("record {number}").as_bytes(), usize::MAX);
            }
            // One that is not whole yet.
            written(&mut file, b"the last", HEAD + 3);
            let half = file.len() / 2;
            let found = [&before[..half], &file[half..]].concat();
            let found = current(&found).unwrap();
            assert_eq!(found.record, b"record 1");
            assert!(found.place.in_doubt);
            let read = |bytes: &mut [u8], at| {
                let at = usize::try_from(at).unwrap();
                bytes.copy_from_slice(&file[at..at + bytes.len()]);
                Ok::<_, ()>(bytes.len())
            };
            let is_current = meanwhile == 0;
            assert_eq!(found.place.is_still_there(read), Ok(is_current));
        }
        let file = fresh(b"record 1");
        assert!(!current(&file).unwrap().place.in_doubt);
    }

    #[test]
    fn a_record_that_outgrows_its_file_or_shrinks_far_gets_another() {
        let small = current(&fresh(&[1; 300])).unwrap().place;
        assert!(small.next(&[2; 484]).is_some());
        assert!(small.next(&[2; 485]).is_none());
        assert!(small.next(&[]).is_some());
        let large = current(&fresh(&vec![1; 100_000])).unwrap().place;
        assert!(large.next(&[2; 16_000]).is_some());
        assert!(large.next(&[2; 2_000]).is_none());
    }

    #[test]
    fn a_mark_is_of_the_record_that_it_follows_and_of_no_other() {
        let mut file = fresh(b"record 1");
        let mut at = mark(0, &file);
        for number in 2..6 {
            let old = current(&file).unwrap();
            assert!(!old.place.on_disk);
            let marked = at.take().unwrap();
            let start = usize::try_from(marked.at).unwrap();
            file[start..start + MARK].copy_from_slice(&marked.bytes);
            let old = current(&file).unwrap();
            assert!(old.place.on_disk);
            let next = old.place.next(format!("record {number}").as_bytes());
            let next = next.unwrap();
            let start = usize::try_from(next.at).unwrap();
            file[start..start + next.bytes.len()].copy_from_slice(&next.bytes);
            at = mark(next.at, &next.bytes);
        }
    }

    #[test]
    fn a_record_with_the_last_number_is_followed_by_one_in_another_file() {
        for second in [false, true] {
            let numbers = if second { [1, u64::MAX] } else { [u64::MAX, 1] };
            let places = numbers.map(|number| {
                let record = if number == 1 { "old" } else { "last" };
                let mut place = place_with(SECTOR, number, record.as_bytes());
                place.resize(SECTOR, 0);
                place
            });
            let file = places.concat();
            let current = current(&file).unwrap();
            assert_eq!(current.record, b"last");
            assert!(current.place.next(b"next").is_none());
        }
    }

    #[test]
    fn other_bytes_hold_no_record() {
        for bytes in [&b""[..], b"x", b"xy", &[0; 1024], &[0xff; 4096]] {
            assert!(current(bytes).is_none());
        }
        let file = fresh(b"record");
        for end in 0..file.len() {
            assert!(current(&file[..end]).is_none(), "cut at {end}");
        }
    }
}
