//! A field filter for Envoy's Wasm as one writes it in Rust: `serde_json` into a tree, what is declared, and out again.
//!
//! The plugin's configuration is JSON: `direction` is `request` or `response`, `declared` leads from field names to
//! `true` or to what is declared below.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use serde_json::Value;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

#[derive(Default)]
struct Root {
    settings: Rc<Value>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let read = self.get_plugin_configuration().and_then(|text| serde_json::from_slice(&text).ok());
        self.settings = Rc::new(read.unwrap_or_default());
        self.settings.is_object()
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange { settings: Rc::clone(&self.settings) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Exchange {
    settings: Rc<Value>,
}

impl Context for Exchange {}

impl Exchange {
    fn filters(&self, direction: &str) -> bool {
        self.settings["direction"] == direction
    }

    /// The filtered body; nothing of what cannot be read.
    fn filtered(&self, body: Option<Vec<u8>>) -> Vec<u8> {
        let read = body.and_then(|body| serde_json::from_slice(&body).ok());
        let Some(mut document) = read else { return Vec::new() };
        keep(&mut document, &self.settings["declared"]);
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        if self.filters("request") {
            self.set_http_request_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if !self.filters("request") {
            return Action::Continue;
        }
        if !end {
            return Action::Pause;
        }
        let body = self.filtered(self.get_http_request_body(0, size));
        self.set_http_request_body(0, size, &body);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if self.filters("response") {
            self.set_http_response_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        if !self.filters("response") {
            return Action::Continue;
        }
        if !end {
            return Action::Pause;
        }
        let body = self.filtered(self.get_http_response_body(0, size));
        self.set_http_response_body(0, size, &body);
        Action::Continue
    }
}

fn keep(value: &mut Value, declared: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| keep(item, declared)),
        Value::Object(members) if declared.is_object() => members.retain(|name, member| {
            let Some(below) = declared.get(name) else { return false };
            keep(member, below);
            true
        }),
        _ => {}
    }
}
