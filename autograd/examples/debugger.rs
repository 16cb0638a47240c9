//! One neuron, forward and back: the program that the book's chapter on the debugger walks through.
//!
//! ```sh
//! cargo build -p autograd --example debugger
//! rust-gdb -iex 'add-auto-load-safe-path target' target/debug/examples/debugger
//! ```

use autograd::{Tape, Tensor, Var};

fn main() {
    let tape = Tape::<f64>::new();
    let x = tape.parameter("x", Tensor::new([2, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let w = tape.parameter("w", Tensor::new([3, 1], [0.5, -1.0, 0.25]));
    let y = neuron(x, w);
    let loss = y.powi(2).sum_all();
    let gradients = loss.backward();
    let slope: &Tensor<f64> = gradients.of(w);
    println!("loss {}, ∂loss/∂w {:?}", loss.value().item(), slope.data());
}

/// tanh(x·w): `[2, 3] × [3, 1] → [2, 1]`
fn neuron<'t>(x: Var<'t, f64>, w: Var<'t, f64>) -> Var<'t, f64> {
    let _scope = x.tape().scope("neuron");
    let sum = x.matmul(w);
    sum.tanh()
}
