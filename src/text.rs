//! Text as bytes: a buffer of a fixed size that never truncates, numbers, words and lists.
//!
//! Nothing here allocates, indexes or panics. Input that does not fit is [`TooLong`], which the caller turns into an error.

use core::ffi::CStr;

/// The buffer is full; nothing was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Up to `N - 1` bytes without NUL, and a NUL after them: a path or another string for a system call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    /// The parts, joined.
    pub(crate) fn of(parts: &[&[u8]]) -> Result<Self, TooLong> {
        let mut text = Self::new();
        text.length = append(&mut text.bytes, 0, parts)?;
        Ok(text)
    }

    /// The same for parts that are known to fit; empty if they do not.
    pub(crate) fn fitting(parts: &[&[u8]]) -> Self {
        let mut text = Self::new();
        let _ = text.set(parts);
        text
    }

    /// Replaces its contents with the parts; it is empty if they do not fit.
    pub(crate) fn set(&mut self, parts: &[&[u8]]) -> Result<(), TooLong> {
        self.cut(0);
        self.push_all(parts)
    }

    /// Fills the whole buffer with one byte.
    pub(crate) fn fill(&mut self, byte: u8) {
        self.bytes.fill(byte);
        self.length = N;
        self.cut(N - 1);
    }

    pub(crate) fn push(&mut self, more: &[u8]) -> Result<(), TooLong> {
        self.push_all(&[more])
    }

    /// Appends all parts, or none.
    pub(crate) fn push_all(&mut self, parts: &[&[u8]]) -> Result<(), TooLong> {
        self.length = append(&mut self.bytes, self.length, parts)?;
        Ok(())
    }

    /// Keeps only the first `length` bytes.
    #[inline(never)]
    pub(crate) fn cut(&mut self, length: usize) {
        if let Some(end) = self.bytes.get_mut(length) {
            *end = 0;
            self.length = self.length.min(length);
        }
    }

    #[inline(never)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        beginning(&self.bytes, self.length)
    }

    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

/// Not generic over the size: one function is smaller than a copy wherever a text is read.
#[inline(never)]
fn beginning(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(..length).unwrap_or_default()
}

/// Writes the parts and a NUL from `length` on and returns the new length. Not generic over the size, as above.
fn append(bytes: &mut [u8], length: usize, parts: &[&[u8]]) -> Result<usize, TooLong> {
    let mut end = length;
    for part in parts {
        let free = bytes.get_mut(end..).unwrap_or_default();
        if part.len() >= free.len() || part.contains(&0) {
            // Put the NUL back.
            bytes
                .iter_mut()
                .skip(length)
                .take(1)
                .for_each(|end| *end = 0);
            return Err(TooLong);
        }
        free.iter_mut()
            .zip(part.iter().chain(&[0]))
            .for_each(|(to, from)| *to = *from);
        end += part.len();
    }
    Ok(end)
}

/// A number in decimal, without leading zeros.
pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    pub(crate) fn new(mut number: u64) -> Self {
        let mut decimal = Self {
            digits: [b'0'; 20],
            start: 20,
        };
        for (place, digit) in decimal.digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (number % 10) as u8;
            decimal.start = place;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        decimal
    }

    #[inline(never)] // smaller
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

/// Fills `digits` with hexadecimal digits, two for each byte.
pub(crate) fn hexadecimal(bytes: &[u8], digits: &mut [u8]) {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (digit, half) in digits.iter_mut().zip(halves) {
        *digit = half + if half < 10 { b'0' } else { b'a' - 10 };
    }
}

/// A decimal number; `None` if there is anything else (a sign, a space) or it overflows.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| match digit {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// Without the white space at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// The fields that the byte `at` separates, empty ones too.
pub(crate) fn fields(bytes: &[u8], at: u8) -> impl Iterator<Item = &[u8]> + Clone {
    bytes.split(move |byte| *byte == at)
}

/// The words that white space separates, as in /proc/cgroups and modules files.
pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
}

/// The items of a setting's list `a,b,c`.
pub(crate) fn list(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields(bytes, b',').filter(|item| !item.is_empty())
}

/// The bytes before and after the first `at`; after is `None` if there is no `at`.
pub(crate) fn split_once(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(place) => (
            bytes.get(..place).unwrap_or_default(),
            bytes.get(place + 1..),
        ),
        None => (bytes, None),
    }
}

/// What follows the last slash.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_text_is_not_changed() {
        let mut text = Text::<6>::of(&[b"/dev"]).unwrap();
        assert_eq!(text.push(b"/x"), Err(TooLong));
        assert_eq!(text.push(b"\0"), Err(TooLong));
        assert_eq!(text.as_c_str(), c"/dev");
        text.push(b"/").unwrap();
        assert_eq!(text.as_bytes(), b"/dev/");
        assert_eq!(text.set(&[b"/run", b"/x"]), Err(TooLong));
        assert_eq!((text.as_bytes(), text.as_c_str()), (&b""[..], c""));
    }

    proptest! {
        #[test]
        fn decimals_are_read_back(value: u64) {
            prop_assert_eq!(number(Decimal::new(value).as_bytes()), Some(value));
        }

        #[test]
        fn hexadecimal_matches_the_standard_library(number: u64) {
            let mut digits = [0; 16];
            hexadecimal(&number.to_be_bytes(), &mut digits);
            let expected = std::format!("{number:016x}");
            prop_assert_eq!(&digits[..], expected.as_bytes());
        }

        #[test]
        fn numbers_match_the_standard_library(text in "[0-9 +-]{0,24}") {
            let standard = (!text.starts_with('+')).then(|| text.parse::<u64>().ok()).flatten();
            prop_assert_eq!(number(text.as_bytes()), standard);
        }

        #[test]
        fn base_name_is_the_end_of_the_path(path in "[a-z/]{0,30}") {
            let name = base_name(path.as_bytes());
            prop_assert!(path.as_bytes().ends_with(name) && !name.contains(&b'/'));
        }
    }
}
