"""What a server must do for the package to work, proven on the embedded server and on the real InvokeAI alike."""
