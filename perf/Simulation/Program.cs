using IgptCluster.Simulation;

return await SimulationCommands.Root().Parse(args).InvokeAsync();
