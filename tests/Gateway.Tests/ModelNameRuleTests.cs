using System.ComponentModel.DataAnnotations;
using IgptCluster.Contracts;
using IgptCluster.Hosting;

namespace IgptCluster.Gateway.Tests;

public sealed class ModelNameRuleTests
{
    public static TheoryData<string, bool> Names => new()
    {
        { "imagegpt-small", true },
        { "Vögel 🎨, 2", true },
        { new string('x', 128), true },
        { "", false },
        { new string('x', 129), false },
        { "a;b", false },
        { "a/b", false },
        { "\n\u001b[31m", false },
        { "a\u202eb", false },
        { "a\u2028b", false },
        { "a\ud83c", false },
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void IsKeptBy_Name_AsTheRuleSays(string name, bool isKept) => Assert.Equal(isKept, ModelNameRule.IsKeptBy(name));

    [Theory]
    [MemberData(nameof(Names))]
    public void Settings_NamesOfModels_KeepTheRule(string name, bool isKept)
    {
        // A model without a name is served by its folder's.
        var options = new ReplicaOptions { Models = { new ServedCheckpoint { Name = name, Path = name.Length > 0 ? "/a" : "/" } } };
        ValidationResult[] broken = [.. options.Validate(new ValidationContext(options))];
        Assert.Equal(isKept, broken.Length == 0);
        Assert.All(broken, one => Assert.DoesNotContain(one.ErrorMessage!, char.IsControl));
    }
}
