// Package bench measures the daemon under load: the real binary as one process,
// the simulated FreeSWITCH as another, SQLite on disk between them. Its figures
// are in ../DESIGN.md, with the command that makes them.
package bench
