//! The reference: a message is read by reflection, and what the pointers name is copied into another.

use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, Value};

use super::tape::is_single_value;

type Path<'p> = &'p [&'p str];

pub fn declared(message: &DynamicMessage, pointers: &[String]) -> DynamicMessage {
    let split: Vec<Vec<&str>> = pointers.iter().map(|pointer| pointer.split('/').skip(1).collect()).collect();
    let paths: Vec<Path<'_>> = split.iter().map(Vec::as_slice).collect();
    part(message, &paths)
}

fn part(message: &DynamicMessage, paths: &[Path<'_>]) -> DynamicMessage {
    let mut found = DynamicMessage::new(message.descriptor());
    for field in message.descriptor().fields().filter(|field| message.has_field(field)) {
        let below = after(paths, &[field.name(), field.json_name()]);
        if let Some(value) = of_field(&field, &message.get_field(&field), &below) {
            found.set_field(&field, value);
        }
    }
    found
}

/// What is left of the paths that begin with one of these names; a whole is one everywhere below.
fn after<'p>(paths: &[Path<'p>], names: &[&str]) -> Vec<Path<'p>> {
    let left = |path: &Path<'p>| match path.split_first() {
        Some((&"**", _)) => Some(*path),
        Some((first, rest)) if names.contains(first) => Some(rest),
        _ => None,
    };
    paths.iter().filter_map(left).collect()
}

fn of_field(field: &FieldDescriptor, value: &Value, paths: &[Path<'_>]) -> Option<Value> {
    match value {
        Value::List(elements) => {
            let paths = after(paths, &["*"]);
            let found: Option<Vec<_>> = elements.iter().map(|element| of_value(element, &paths)).collect();
            found.map(Value::List)
        }
        Value::Map(entries) => {
            let paths = after(paths, &["*"]);
            let found = entries.iter().map(|(key, value)| Some((key.clone(), of_value(value, &paths)?)));
            found.collect::<Option<_>>().map(Value::Map)
        }
        _ if field.is_list() || field.is_map() => panic!("{value:?} is in {field:?}"),
        single => of_value(single, paths),
    }
}

fn of_value(value: &Value, paths: &[Path<'_>]) -> Option<Value> {
    match value {
        _ if paths.is_empty() => None,
        Value::Message(message) if is_single_value(&message.descriptor()) && paths.contains(&&[][..]) => {
            Some(Value::Message(part(message, &[&["**"]])))
        }
        Value::Message(message) => Some(Value::Message(part(message, paths))),
        scalar => Some(scalar.clone()),
    }
}
