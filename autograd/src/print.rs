//! A tape prints as the program that it recorded, one line a node:
//!
//! ```text
//! %0 = leaf wte             : [65, 16]
//! %4 = gather %0            : b n d [2, 8, 16]        embedding    src/model/gpt.rs:41
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
            let gap = if node.axes.is_empty() { "" } else { " " };
            let shape = format!("{}{gap}{}", node.axes, node.value.shape());
            let place = format!("{}:{}", node.location.file(), node.location.line());
            writeln!(f, "{code:<28} : {shape:<22} {:<22} {place}", self.scope_name(node.scope))?;
        }
        Ok(())
    }
}
