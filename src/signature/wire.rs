//! The bytes around keys and signatures: SSH's wire format, base64 and armor, each only in the one form OpenSSH writes.
//!
//! INVARIANT: one value has one encoding. Every length is read to its end, so that no bit can change unnoticed.

use base64ct::{Base64, Encoding as _};

/// Reads SSH wire values (RFC 4251, section 5) from bytes; `None` where they end too soon.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn uint32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.uint32()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    /// `value` if every byte was read.
    pub(super) fn finish<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

/// Decodes padded base64, of which base64ct takes one form only: no white space, no stray bits.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}

/// The armor `ssh-keygen -Y sign` writes round a signature.
pub(super) fn armor(blob: &[u8]) -> String {
    let mut text = String::from(BEGIN);
    for (index, character) in Base64::encode_string(blob).chars().enumerate() {
        if index > 0 && index % LINE_WIDTH == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// Takes the armor off; the error says what is wrong with it.
pub(super) fn dearmor(armored: &[u8]) -> Result<Vec<u8>, &'static str> {
    let text = std::str::from_utf8(armored).map_err(|_| "is not text")?;
    let text = text.strip_prefix(BEGIN).ok_or("does not begin with the line `-----BEGIN SSH SIGNATURE-----`")?;
    let body = text.strip_suffix(END).ok_or("does not end with the line `-----END SSH SIGNATURE-----`")?;
    let blob = decode_base64(&body.replace('\n', "")).ok_or("is not base64 as OpenSSH writes it")?;
    if armor(&blob).as_bytes() == armored { Ok(blob) } else { Err("is not wrapped as OpenSSH wraps it") }
}

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const LINE_WIDTH: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn armor_taken_off_gives_the_bytes_back(blob in prop::collection::vec(any::<u8>(), 1..300)) {
            prop_assert_eq!(dearmor(armor(&blob).as_bytes()), Ok(blob));
        }

        #[test]
        fn armor_with_anything_added_or_changed_is_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let text = armor(&[7; 200]).into_bytes();
            let mut longer = text.clone();
            longer.insert(at.index(text.len() + 1), byte);
            prop_assert!(dearmor(&longer).is_err());
            let mut changed = text.clone();
            let index = at.index(text.len());
            changed[index] = byte;
            prop_assert!(changed == text || dearmor(&changed) != Ok(vec![7; 200]));
        }
    }

    #[test]
    fn base64_with_stray_bits_missing_padding_or_blanks_is_refused() {
        assert_eq!(decode_base64("QQ=="), Some(b"A".to_vec()));
        for text in ["QR==", "QQ", "QQ= =", "QQ==\n", " QQ==", "QQ==QQ==", "Q"] {
            assert_eq!(decode_base64(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_not_read() {
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1]).string(), None);
        assert_eq!(Reader::new(&[255, 255, 255, 255]).string(), None);
        assert_eq!(Reader::new(&[0, 0, 0]).uint32(), None);
    }
}
