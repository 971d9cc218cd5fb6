//! The bodies that everything is measured with: records of 13 or 52 fields, of which the first half is declared.

use std::fmt::Write;

use lawflow_core::Selection;

/// An array of records of about `size` bytes in all.
#[must_use]
pub fn body(size: usize, fields: usize) -> Vec<u8> {
    let mut found = String::from("[");
    let mut number = 0_u64;
    while found.len() < size {
        if number > 0 {
            found.push(',');
        }
        let members: Vec<String> =
            (0..fields).map(|field| format!("\"field{field}\":{}", value(field, number))).collect();
        let _ = write!(found, "{{{}}}", members.join(","));
        number += 1;
    }
    found.push(']');
    found.into_bytes()
}

fn value(field: usize, number: u64) -> String {
    match field % 5 {
        0 => format!("\"customer-{number:08}\""),
        1 => format!("{}", number * 37 % 100_000),
        2 => format!("\"Prinsengracht {number}, 1015 Amsterdam, café \\\"De Kat\\\"\""),
        3 => format!("{{\"currency\":\"EUR\",\"amount\":{}.{:02}}}", number % 1000, number % 100),
        _ => {
            if number.is_multiple_of(2) {
                "true".to_owned()
            } else {
                "null".to_owned()
            }
        }
    }
}

/// JSON Pointers to the declared fields.
#[must_use]
pub fn pointers(fields: usize) -> Vec<String> {
    (0..fields.div_ceil(2))
        .map(|field| if field % 5 == 3 { format!("/*/field{field}/amount") } else { format!("/*/field{field}") })
        .collect()
}

/// The declared fields.
#[must_use]
pub fn declared(fields: usize) -> Selection {
    Selection::new(pointers(fields).iter().map(String::as_str)).unwrap_or_default()
}
