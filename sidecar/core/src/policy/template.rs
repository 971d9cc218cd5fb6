//! Path templates: which paths an operation means, and what stands in their parameters.

/// A path as a `DataFlow` declares it: `{name}` is one segment or a part of one, never more.
///
/// Path parameters (`;name=value`, RFC 3986, section 3.3) never match: they would carry what nobody declared, and apps
/// disagree with each other about where `/a/..;/b` leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    /// Literal texts around parameters: one more than there are parameters.
    Pattern {
        literals: Vec<Box<str>>,
        names: Vec<Box<str>>,
    },
}

impl Template {
    /// Reads a template that begins with a slash.
    pub fn new(text: &str) -> Self {
        Self { segments: text.split('/').skip(1).map(segment).collect() }
    }

    /// The more segments are literal, the more specific.
    pub fn specificity(&self) -> usize {
        self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count()
    }

    /// Whether a path, in its normal form and without its query, is one of those.
    pub fn matches(&self, path: &str) -> bool {
        self.walk(path, |_, _| {})
    }

    /// What stands in a parameter of a path that matches.
    pub fn parameter<'p>(&self, path: &'p str, wanted: &str) -> Option<&'p str> {
        let mut found = None;
        self.walk(path, |name, value| {
            if name == wanted {
                found = Some(value);
            }
        });
        found
    }

    fn walk<'p>(&self, path: &'p str, mut parameter: impl FnMut(&str, &'p str)) -> bool {
        let mut parts = path.split('/');
        if parts.next() != Some("") {
            return false;
        }
        for segment in &self.segments {
            let Some(part) = parts.next() else { return false };
            let fits = match segment {
                Segment::Literal(text) => **text == *part,
                Segment::Pattern { literals, names } => fits(literals, names, part, &mut parameter),
            };
            if !fits {
                return false;
            }
        }
        parts.next().is_none()
    }
}

fn segment(text: &str) -> Segment {
    let (mut literals, mut names, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some((before, name, after)) = parameter(rest) {
        literals.push(before.into());
        names.push(name.into());
        rest = after;
    }
    if names.is_empty() {
        return Segment::Literal(text.into());
    }
    literals.push(rest.into());
    Segment::Pattern { literals, names }
}

fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// Every parameter takes as little as lets the rest fit, and something at least.
fn fits<'p>(
    literals: &[Box<str>],
    names: &[Box<str>],
    part: &'p str,
    parameter: &mut impl FnMut(&str, &'p str),
) -> bool {
    let [first, others @ ..] = literals else { return false };
    let Some(mut rest) = part.strip_prefix(&**first) else { return false };
    for (place, literal) in others.iter().enumerate() {
        let is_last = place + 1 == others.len();
        let end = if is_last {
            rest.strip_suffix(&**literal).map(str::len)
        } else {
            let start = rest.chars().next().map_or(0, char::len_utf8);
            rest[start..].find(&**literal).map(|at| at + start)
        };
        let Some(end) = end else { return false };
        let value = &rest[..end];
        if value.is_empty() || value.contains(';') {
            return false;
        }
        parameter(&names[place], value);
        rest = &rest[end + literal.len()..];
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_one_segment_or_a_part_of_one() {
        let template = Template::new("/v1/charges/{id}");
        assert!(template.matches("/v1/charges/17"));
        for path in ["/v1/charges", "/v1/charges/", "/v1/charges/17/x", "/v1/charges/17;a=b", "v1/charges/17", "/", ""]
        {
            assert!(!template.matches(path), "{path}");
        }
        let part = Template::new("/files/{name}.{kind}/lines");
        assert!(part.matches("/files/a.pdf/lines"));
        assert!(!part.matches("/files/.pdf/lines") && !part.matches("/files/a./lines"));
        assert_eq!(part.parameter("/files/a.b.pdf/lines", "kind"), Some("b.pdf"));
    }

    #[test]
    fn literals_are_compared_to_the_letter() {
        let template = Template::new("/a.b/c");
        assert!(template.matches("/a.b/c"));
        assert!(!template.matches("/axb/c") && !template.matches("/A.b/c") && !template.matches("/a.b/c/"));
        assert!(Template::new("/").matches("/"));
    }

    #[test]
    fn what_stands_in_a_parameter_is_found() {
        let template = Template::new("/users/{user}/orders/{order}");
        assert_eq!(template.parameter("/users/anna/orders/7", "user"), Some("anna"));
        assert_eq!(template.parameter("/users/anna/orders/7", "order"), Some("7"));
        assert_eq!(template.parameter("/users/anna/orders/7", "other"), None);
        assert_eq!(template.specificity(), 2);
    }
}
