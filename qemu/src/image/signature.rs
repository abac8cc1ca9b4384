//! The signature at the end of a kernel module: the PKCS#7 message, a `struct module_signature`, and a magic line
//! (include/linux/module_signature.h). Nothing else in the module refers to it, so a module without it is the same file, cut off.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::tree::Content;

const MAGIC: &[u8] = b"~Module signature appended~\n";

/// `struct module_signature`: its last field is the message's length, a big-endian u32. The fields before it describe the message.
const HEADER: usize = 12;

/// The module in this file, without its signature.
pub fn stripped(path: &Path) -> Result<Content> {
    let read = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let length = unsigned(&read).with_context(|| path.display().to_string())?;
    Ok(Content::Start(path.to_owned(), length as u64))
}

/// How many bytes come before the signature: all, if there is none.
fn unsigned(module: &[u8]) -> Result<usize> {
    let Some(signed) = module.strip_suffix(MAGIC) else {
        return Ok(module.len());
    };
    let header: Option<&[u8; HEADER]> = signed.last_chunk();
    let [.., a, b, c, d] = *header.context("its signature has no header")?;
    let message = u32::from_be_bytes([a, b, c, d]);
    let before = (signed.len() - HEADER).checked_sub(message as usize);
    before.with_context(|| format!("its signature has {message} bytes, more than the file"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// The trailer of trixie's modules: PKCS#7, and a length in the last four bytes.
    fn signed(module: &[u8], message: &[u8], length: u32) -> Vec<u8> {
        let header = [0, 0, 2, 0, 0, 0, 0, 0];
        [module, message, &header, &length.to_be_bytes(), MAGIC].concat()
    }

    #[test]
    fn only_the_signature_is_stripped() {
        let module = b"\x7fELF, ~Module signature appended~\n and more";
        for message in [&[0x30; 700][..], b"", MAGIC] {
            let length = message.len() as u32;
            let file = signed(module, message, length);
            assert_eq!(unsigned(&file).unwrap(), module.len());
        }
    }

    #[test]
    fn a_file_without_the_magic_line_stays_the_same() {
        let shortened = |by: usize| {
            let file = signed(b"module", b"message", 7);
            file[..file.len() - by].to_vec()
        };
        for file in [vec![], b"\x7fELF".to_vec(), shortened(1), shortened(30)] {
            assert_eq!(unsigned(&file).unwrap(), file.len());
        }
    }

    #[test]
    fn a_signature_that_is_longer_than_the_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ko");
        let refused = |file: &[u8]| {
            fs::write(&path, file).unwrap();
            format!("{:#}", stripped(&path).unwrap_err())
        };
        for length in [14, 256, u32::MAX] {
            let told = refused(&signed(b"module", b"message", length));
            let bytes = format!("has {length} bytes, more than the file");
            assert!(told.contains("x.ko: ") && told.contains(&bytes), "{told}");
        }
        let told = refused(MAGIC);
        assert!(told.ends_with("x.ko: its signature has no header"));
    }

    #[test]
    fn the_content_is_the_start_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), signed(b"module", b"message", 7)).unwrap();
        let content = stripped(file.path()).unwrap();
        assert_eq!(content.size().unwrap(), 6);
        let mut read = Vec::new();
        content.reader().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, b"module");
    }
}
