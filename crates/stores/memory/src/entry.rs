//! A record as it lies in memory: 80 bytes, and one allocation for its body and texts.

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, Label, Principal, Record, Timestamp};

use crate::expiry::Links;
use crate::slab::Id;

/// A record and its places in the indexes of its shard.
pub(crate) struct Entry {
    pub(crate) handle: Handle,
    pub(crate) version: u64,
    created_at: Timestamp,
    pub(crate) idle_deadline: Timestamp,
    absolute_deadline: Timestamp,
    /// The body, the principal and the label, one after another. A `Bytes` or three boxes would take more room.
    bytes: Box<[u8]>,
    /// Its neighbours in its bucket of expiries.
    pub(crate) links: Links,
    /// Its node in the index of principals.
    pub(crate) node: Option<Id>,
    /// Length of the principal in bytes, 0 for none.
    principal: u8,
    /// Length of the label in bytes, 0 for none.
    label: u8,
}

impl Entry {
    /// `record`, in no index yet.
    pub(crate) fn new(handle: Handle, record: &Record) -> Self {
        let (header, parts) = (&record.header, parts(record));
        Self {
            handle,
            version: header.version,
            created_at: header.created_at,
            idle_deadline: header.idle_deadline,
            absolute_deadline: header.absolute_deadline,
            bytes: parts.concat().into_boxed_slice(),
            links: Links::default(),
            node: None,
            principal: short_len(parts[1]),
            label: short_len(parts[2]),
        }
    }

    /// Takes over `record`, and stays where it is in the indexes. Bytes of the same length are overwritten, because a
    /// fresh allocation would cost as much as all else in a replacement.
    pub(crate) fn overwrite(&mut self, record: &Record) {
        let (header, parts) = (&record.header, parts(record));
        self.version = header.version;
        self.created_at = header.created_at;
        self.idle_deadline = header.idle_deadline;
        self.absolute_deadline = header.absolute_deadline;
        if self.bytes.len() == parts.iter().map(|part| part.len()).sum::<usize>() {
            fill(&mut self.bytes, &parts);
        } else {
            self.bytes = parts.concat().into_boxed_slice();
        }
        self.principal = short_len(parts[1]);
        self.label = short_len(parts[2]);
    }

    /// A copy that shares nothing with this entry.
    pub(crate) fn record(&self) -> Record {
        let (body, _, label) = self.parts();
        let as_stored = "a text is returned as it was stored";
        Record {
            header: Header {
                version: self.version,
                created_at: self.created_at,
                idle_deadline: self.idle_deadline,
                absolute_deadline: self.absolute_deadline,
                principal: self
                    .principal()
                    .map(|text| Principal::new(text).expect(as_stored)),
                label: text(label).map(|text| Label::new(text).expect(as_stored)),
            },
            body: Bytes::copy_from_slice(body),
        }
    }

    pub(crate) fn principal(&self) -> Option<&str> {
        text(self.parts().1)
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        self.principal > 0
    }

    /// See [`Header::expires_at`].
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.idle_deadline.min(self.absolute_deadline)
    }

    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }

    fn parts(&self) -> (&[u8], &[u8], &[u8]) {
        let (rest, label) = self
            .bytes
            .split_at(self.bytes.len() - usize::from(self.label));
        let (body, principal) = rest.split_at(rest.len() - usize::from(self.principal));
        (body, principal, label)
    }
}

/// What [`Entry::bytes`] is made of.
fn parts(record: &Record) -> [&[u8]; 3] {
    let Header {
        principal, label, ..
    } = &record.header;
    let principal = principal.as_ref().map_or("", Principal::as_str);
    let label = label.as_ref().map_or("", Label::as_str);
    [&record.body, principal.as_bytes(), label.as_bytes()]
}

fn fill(mut bytes: &mut [u8], parts: &[&[u8]]) {
    for part in parts {
        let (start, rest) = bytes.split_at_mut(part.len());
        start.copy_from_slice(part);
        bytes = rest;
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).expect("texts were stored as UTF-8");
    (!text.is_empty()).then_some(text)
}

fn short_len(text: &[u8]) -> u8 {
    u8::try_from(text.len()).expect("principals and labels have at most 255 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_80_bytes() {
        assert_eq!(size_of::<Entry>(), 80);
        assert_eq!(
            size_of::<Option<Entry>>(),
            80,
            "a free place of the slab takes no more"
        );
    }

    fn record(
        version: u64,
        principal: Option<&str>,
        label: Option<&str>,
        body: &'static str,
    ) -> Record {
        let header = Header {
            version,
            created_at: Timestamp::from_millis(version),
            idle_deadline: Timestamp::from_millis(version + 1),
            absolute_deadline: Timestamp::from_millis(version + 2),
            principal: principal.map(|text| Principal::new(text).unwrap()),
            label: label.map(|text| Label::new(text).unwrap()),
        };
        Record {
            header,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_stored() {
        let handle = Handle::from_bytes([7; 16]);
        let mut entry = Entry::new(handle, &record(1, None, None, ""));
        assert_eq!(entry.record(), record(1, None, None, ""));
        let records = [
            record(2, Some("ann"), None, "b"),
            record(3, Some("é"), Some("x"), "b"),
            record(4, None, Some("label"), ""),
            record(5, None, None, "a longer body"),
        ];
        for record in records {
            assert_eq!(Entry::new(handle, &record).record(), record);
            entry.overwrite(&record);
            assert_eq!(entry.record(), record);
        }
    }
}
