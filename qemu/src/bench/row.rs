//! A row as the guest reads it: the file /bench/rows/NAME, which the program `start` understands.

/// PID 1 of a guest, and what runs beside it.
#[derive(Default)]
pub(super) struct Row<'r> {
    /// Whether the kernel comes to rest before PID 1 is executed.
    pub(super) rests: bool,
    /// A program that is started before PID 1; `start` waits until it has closed its descriptor 3.
    pub(super) beside: &'r [&'r str],
    pub(super) arguments: &'r [&'r str],
    /// After those that the kernel gives to PID 1.
    pub(super) environment: &'r [&'r str],
}

/// What the kernel gives to PID 1.
const ENVIRONMENT: &[&str] = &["HOME=/", "TERM=linux"];

impl Row<'_> {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let environment = [ENVIRONMENT, self.environment].concat();
        let mut bytes = vec![if self.rests { b'r' } else { b'-' }];
        for list in [self.beside, self.arguments, &environment] {
            for text in list {
                bytes.extend(text.bytes().chain([0]));
            }
            bytes.push(0);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn a_row_is_three_lists_of_strings() {
        let row = Row {
            arguments: &["/init", "a"],
            environment: &["B=c"],
            ..Row::default()
        };
        assert_eq!(row.bytes(), b"-\0/init\0a\0\0HOME=/\0TERM=linux\0B=c\0\0");
    }
}
