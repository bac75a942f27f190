// Package usage prices what skills used and shapes it for bills. What comes in
// are times and sums, what goes out are micro-CU and public rows. It must not
// know where the sums are kept or how a skill runs.
package usage
