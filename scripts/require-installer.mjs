// Ends an installation that would lack its binaries: npm leaves out optional packages that are not for the Node it runs on,
// and the llama.cpp that comes with node-llama-cpp is one of them. Runs on any Node that knows modules.
var major = Number(process.versions.node.split('.')[0]);
if (!(major >= 20)) {
  console.error(
    'Hearth cannot be installed by npm on Node ' +
      process.versions.node +
      ', which leaves out the binaries of llama.cpp. Use npm on Node 20 or newer; everything then runs with the Node 24 that it brings.',
  );
  process.exit(1);
}
