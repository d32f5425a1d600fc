return await IgptCluster.Training.TrainingApplication.RunAsync(args);
