//! Notes: what the user should know although nothing failed. Each is printed immediately, and again at the end of all tests.

use std::sync::{Mutex, PoisonError};

static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Prints the note now, and keeps it for the report.
pub fn note(text: String) {
    eprintln!("note: {text}");
    let mut notes = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    if !notes.contains(&text) {
        notes.push(text);
    }
}

/// All notes so far, which are then forgotten.
pub fn take() -> Vec<String> {
    std::mem::take(&mut NOTES.lock().unwrap_or_else(PoisonError::into_inner))
}
