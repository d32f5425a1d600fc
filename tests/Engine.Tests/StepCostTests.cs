using IgptCluster.Engine.Scheduling;

namespace IgptCluster.Engine.Tests;

public sealed class StepCostTests
{
    [Fact]
    public void PrefillTokens_NothingLearned_IsUnknown()
    {
        var cost = new StepCost(8);
        Assert.Null(cost.PrefillTokens(3, 2));
        cost.Learn(3, 0, TimeSpan.FromMilliseconds(20));
        Assert.Null(cost.PrefillTokens(3, 2));
        cost.Learn(0, 100, TimeSpan.Zero);
        Assert.Null(cost.PrefillTokens(3, 2));
    }

    [Theory]
    [InlineData(2.0, 40)]
    [InlineData(3.0, 80)]
    public void PrefillTokens_DecodeAndPrefillLearned_MakesTheStepAsLongAsAllowed(double stretch, int tokens)
    {
        var cost = new StepCost(8);
        cost.Learn(4, 0, TimeSpan.FromMilliseconds(20));
        cost.Learn(4, 60, TimeSpan.FromMilliseconds(50));
        Assert.Equal(tokens, cost.PrefillTokens(4, stretch));
    }

    [Fact]
    public void PrefillTokens_NumberThatNeverRan_TakesTheNearestSmallerOrAShareOfALarger()
    {
        var cost = new StepCost(8);
        cost.Learn(4, 0, TimeSpan.FromMilliseconds(20));
        cost.Learn(0, 1000, TimeSpan.FromMilliseconds(500));
        Assert.Equal(40, cost.PrefillTokens(8, 2));
        Assert.Equal(10, cost.PrefillTokens(1, 2));
    }

    [Fact]
    public void Learn_MoreSequencesWithPrefillsInEveryStep_DoesNotTakePrefillsForDear()
    {
        var cost = new StepCost(8);
        cost.Learn(1, 0, TimeSpan.FromMilliseconds(10));
        cost.Learn(0, 100, TimeSpan.FromMilliseconds(10));
        for (int step = 0; step < 200; step++)
        {
            // 80 ms and 0.1 ms for each token.
            cost.Learn(8, 16, TimeSpan.FromMilliseconds(81.6));
        }

        Assert.InRange(cost.PrefillTokens(8, 2)!.Value, 90, 800);
    }

    [Fact]
    public void Learn_PrefillsKnownAndDecodingNot_TellsDecoding()
    {
        var cost = new StepCost(8);
        cost.Learn(0, 100, TimeSpan.FromMilliseconds(100));
        cost.Learn(4, 10, TimeSpan.FromMilliseconds(30));
        Assert.Equal(20, cost.PrefillTokens(4, 2)!.Value, tolerance: 1);
    }

    [Fact]
    public void Learn_TimesChange_FollowsThem()
    {
        var cost = new StepCost(8);
        cost.Learn(0, 100, TimeSpan.FromMilliseconds(100));
        for (int step = 0; step < 100; step++)
        {
            cost.Learn(2, 0, TimeSpan.FromMilliseconds(step < 50 ? 10 : 30));
        }

        Assert.Equal(30, cost.PrefillTokens(2, 2)!.Value, tolerance: 1);
    }
}
