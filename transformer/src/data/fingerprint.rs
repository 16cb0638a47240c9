//! A hash by which data is recognised.

/// FNV-1a, 64 bits: enough to tell one text from another by mistake, not by malice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    /// The fingerprint of all of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add(bytes);
        fingerprint
    }

    /// Goes on with more bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fnv1a64:{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a_in_one_piece_or_in_several() {
        // From the reference vectors of the algorithm's authors (Fowler, Noll, Vo).
        assert_eq!(Fingerprint::of(b"").to_string(), "fnv1a64:cbf29ce484222325");
        assert_eq!(Fingerprint::of(b"foobar").to_string(), "fnv1a64:85944171f73967e8");
        let mut pieces = Fingerprint::default();
        ["foo", "", "bar"].iter().for_each(|piece| pieces.add(piece.as_bytes()));
        assert_eq!(pieces, Fingerprint::of(b"foobar"));
    }
}
