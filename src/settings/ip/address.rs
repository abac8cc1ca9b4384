//! Parses addresses: IPv4 as four decimal numbers, IPv6 as in RFC 4291.

use crate::text::{fields, number, split_once};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use heapless::Vec;

/// Four decimal numbers up to 255, separated by dots.
pub(crate) fn address(text: &[u8]) -> Option<Ipv4Addr> {
    let mut numbers = fields(text, b'.').map(|part| {
        number(part)
            .filter(|_| part.len() <= 3)
            .and_then(|value| u8::try_from(value).ok())
    });
    let address = [
        numbers.next()??,
        numbers.next()??,
        numbers.next()??,
        numbers.next()??,
    ];
    numbers.next().is_none().then_some(address.into())
}

/// IPv4, or IPv6 in brackets.
pub(crate) fn any_address(text: &[u8]) -> Option<IpAddr> {
    let inner = text
        .strip_prefix(b"[")
        .and_then(|text| text.strip_suffix(b"]"));
    match inner {
        Some(inner) => address6(inner).map(IpAddr::V6),
        None => address(text).map(IpAddr::V4),
    }
}

/// The fields that colons separate; a colon in brackets belongs to an IPv6 address.
pub(crate) fn fields_outside_brackets(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut in_brackets = false;
    text.split(move |byte| {
        in_brackets = *byte == b'[' || (in_brackets && *byte != b']');
        *byte == b':' && !in_brackets
    })
}

/// Eight groups of up to four hexadecimal digits; `::` stands for one or more groups of zeros, and the last two may be written
/// as `1.2.3.4` (RFC 4291, 2.2).
pub(crate) fn address6(text: &[u8]) -> Option<Ipv6Addr> {
    let gap = text.windows(2).position(|two| two == b"::");
    let (before, after) = match gap {
        Some(place) => (text.get(..place)?, Some(text.get(place + 2..)?)),
        None => (text, None),
    };
    let front = groups(before, after.is_none())?;
    let back = groups(after.unwrap_or_default(), true)?;
    let length = front.len() + back.len();
    match after {
        Some(_) if length > 14 => return None,
        None if length != 16 => return None,
        _ => {}
    }
    let mut all = [0; 16];
    let ends = all.iter_mut().rev().zip(back.iter().rev());
    ends.for_each(|(to, from)| *to = *from);
    let begins = all.iter_mut().zip(&front);
    begins.for_each(|(to, from)| *to = *from);
    Some(all.into())
}

/// Up to eight groups of two bytes; at the end of the address the last two may be written as IPv4.
fn groups(text: &[u8], at_the_end: bool) -> Option<Vec<u8, 16>> {
    let mut found = Vec::new();
    if text.is_empty() {
        return Some(found);
    }
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (part, after) = split_once(text, b':');
        rest = after;
        let last = at_the_end && after.is_none();
        let put = match address(part).filter(|_| last) {
            Some(address) => found.extend_from_slice(&address.octets()),
            None => found.extend_from_slice(&hexadecimal_number(part)?.to_be_bytes()),
        };
        put.ok()?;
    }
    Some(found)
}

/// Up to four hexadecimal digits.
#[inline(never)] // smaller
pub(crate) fn hexadecimal_number(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits.iter().try_fold(0, |sum, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(sum << 4 | digit as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    proptest! {
        #[test]
        fn addresses_match_the_standard_library(text in "([0-9]{1,4}\\.){2,4}[0-9]{0,3}") {
            let leading_zero = text.split('.').any(|part| part.len() > 1 && part.starts_with('0'));
            prop_assume!(!leading_zero);
            prop_assert_eq!(address(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn ipv6_addresses_match_the_standard_library(
            text in "([0-9a-fA-F]{0,2}::?){0,8}([0-9a-fA-F]{0,5}|1\\.2\\.3\\.4)"
        ) {
            prop_assert_eq!(address6(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn ipv6_addresses_are_read_back(bits: u128, zeros: u128) {
            let address = Ipv6Addr::from(bits & zeros & (zeros << 40));
            prop_assert_eq!(address6(address.to_string().as_bytes()), Some(address));
        }
    }
}
