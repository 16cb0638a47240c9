//! A tape prints as the program that it recorded, one line a node:
//!
//! ```text
//! %0 = leaf wte             : [65, 16]
//! %4 = gather %0 (rows 7 1) : b n d [1, 2, 16]        embedding    src/model/gpt.rs:41
//! ```

use crate::{Float, Tape};
use std::fmt;

impl<T: Float> fmt::Display for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes();
        for (index, node) in nodes.iter().enumerate() {
            let mut code = format!("%{index} = {}", node.op_name());
            for input in &node.inputs {
                code += &format!(" %{input}");
            }
            if !node.name.is_empty() {
                code += &format!(" {}", node.name);
            }
            if let Some(details) =
                node.op.as_ref().map(|op| op.details()).filter(|details| !details.is_empty())
            {
                code += &format!(" ({details})");
            }
            let gap = if node.axes.is_empty() { "" } else { " " };
            let shape = format!("{}{gap}{}", node.axes, node.value.shape());
            let place = format!("{}:{}", node.location.file(), node.location.line());
            writeln!(f, "{code:<28} : {shape:<22} {:<22} {place}", self.scope_name(node.scope))?;
        }
        Ok(())
    }
}
