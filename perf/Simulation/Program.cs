using IgptCluster.CommandLine;
using IgptCluster.Simulation;

return await new CommandProgram("perf/Simulation", SimulationCommands.Root()).RunAsync(args);
